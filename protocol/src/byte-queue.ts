/** Shorter chunks are copied together in blocks: what a chunk costs beside its bytes must not add up. */
const SHORT = 4 * 1024
const BLOCK_SIZE = 4 * SHORT
/** A view may keep so many times its own size alive. */
const MAXIMUM_WASTE = 4
/** Places in the list that were emptied before it is made shorter. */
const COMPACTED_AT = 64

const NOTHING = new Uint8Array(0)

/** Chunks in order, taken from the front. */
export class ByteQueue {
  #chunks: Uint8Array[] = []
  /** The first chunk that is still there. */
  #head = 0
  #size = 0
  /** The rest of the block for short chunks. */
  #block = NOTHING

  get size(): number {
    return this.#size
  }

  /** Adds a chunk without copying it. Nobody may write to it any more. */
  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
  }

  /** Adds a chunk so that the memory in use stays in proportion to the bytes held, however they came. */
  gather(chunk: Uint8Array): void {
    if (chunk.length >= SHORT) {
      this.push(ownedBytes(chunk))
      return
    }
    if (this.#block.length < chunk.length) this.#block = new Uint8Array(BLOCK_SIZE)
    const place = this.#block.subarray(0, chunk.length)
    place.set(chunk)
    this.#block = this.#block.subarray(chunk.length)
    this.#extendLast(place)
  }

  /** Moves up to `size` bytes from the front to `parts`; answers how many. */
  take(size: number, parts: Uint8Array[]): number {
    let taken = 0
    while (taken < size) {
      const first = this.#chunks[this.#head]
      if (first === undefined) break
      const part = first.subarray(0, size - taken)
      parts.push(part)
      taken += part.length
      if (part.length === first.length) this.#dropFirst()
      else this.#chunks[this.#head] = first.subarray(part.length)
    }
    this.#size -= taken
    return taken
  }

  /** Removes the first chunk. */
  shift(): Uint8Array | undefined {
    const first = this.#chunks[this.#head]
    if (first === undefined) return undefined
    this.#size -= first.length
    this.#dropFirst()
    return first
  }

  clear(): void {
    this.#chunks = []
    this.#head = 0
    this.#size = 0
    this.#block = NOTHING
  }

  /** What lies in memory right behind the last chunk becomes part of it. */
  #extendLast(place: Uint8Array): void {
    const last = this.#head < this.#chunks.length ? this.#chunks.at(-1) : undefined
    if (last?.buffer === place.buffer && last.byteOffset + last.length === place.byteOffset) {
      this.#chunks[this.#chunks.length - 1] = new Uint8Array(
        last.buffer,
        last.byteOffset,
        last.length + place.length,
      )
      this.#size += place.length
    } else this.push(place)
  }

  /** Moving everything up one place for each chunk would cost more than the chunk. */
  #dropFirst(): void {
    this.#chunks[this.#head++] = NOTHING
    if (this.#head === this.#chunks.length) {
      this.#chunks.length = 0
      this.#head = 0
      this.#block = NOTHING
    } else if (this.#head >= COMPACTED_AT && 2 * this.#head >= this.#chunks.length) {
      this.#chunks.splice(0, this.#head)
      this.#head = 0
    }
  }
}

/** The chunk, or a copy if it is a small piece of a large buffer that it would keep alive. */
export function ownedBytes(chunk: Uint8Array): Uint8Array {
  return MAXIMUM_WASTE * chunk.length < chunk.buffer.byteLength ? new Uint8Array(chunk) : chunk
}
