import { HEADER_LENGTH, PAYLOAD_OFFSET } from '@sallyport/protocol/message'

/** Frames are copied into blocks of so many bytes, or one of their own. */
const BLOCK = 16 * 1024
/** A frame of this size that is no view of something larger is kept as it is. */
const LARGE = 8 * 1024

type Block = { bytes: Uint8Array; start: number; end: number }

/**
 * Frames that wait, first come, first served. Small ones are copied back to back, so that the queue takes as much
 * memory as they have bytes: a frame by itself pins the whole read that it came with, and an object for each of many
 * would weigh more than they do.
 */
export class FrameQueue {
  readonly #blocks: Block[] = []
  #byteLength = 0

  /** Of all frames together. */
  get byteLength(): number {
    return this.#byteLength
  }

  /** `frame` is a whole one: its header says how long it is. */
  push(frame: Uint8Array): void {
    this.#byteLength += frame.length
    if (frame.length >= LARGE && frame.buffer.byteLength < 2 * frame.length) {
      this.#blocks.push({ bytes: frame, start: 0, end: frame.length })
      return
    }
    const block = this.#blockFor(frame.length)
    block.bytes.set(frame, block.end)
    block.end += frame.length
  }

  shift(): Uint8Array | undefined {
    const [block] = this.#blocks
    if (block === undefined) return undefined
    const { bytes, start } = block
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const length = PAYLOAD_OFFSET + view.getUint32(start + HEADER_LENGTH)
    block.start += length
    this.#byteLength -= length
    if (block.start === block.end) this.#blocks.shift()
    return bytes.subarray(start, start + length)
  }

  clear(): void {
    this.#blocks.length = 0
    this.#byteLength = 0
  }

  #blockFor(length: number): Block {
    const last = this.#blocks.at(-1)
    if (last !== undefined && last.end + length <= last.bytes.length) return last
    const block = { bytes: new Uint8Array(Math.max(BLOCK, length)), start: 0, end: 0 }
    this.#blocks.push(block)
    return block
  }
}
