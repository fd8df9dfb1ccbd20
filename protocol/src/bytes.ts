import { ProtocolError } from './errors.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8')
const strictDecoder = new TextDecoder('utf-8', { fatal: true })

export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Decodes UTF-8; malformed sequences become U+FFFD. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

/** Decodes UTF-8; malformed sequences throw a TypeError. */
export function decodeUtf8Strictly(bytes: Uint8Array): string {
  return strictDecoder.decode(bytes)
}

export function concatBytes(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0))
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.length
  }
  return whole
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX[byte]
  return text
}

/** Reads hexadecimal digits; white space between them is allowed, as in the vectors. */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '')
  if (digits.length % 2 !== 0 || /[^0-9a-fA-F]/.test(digits)) throw new TypeError(`not hexadecimal: ${text}`)
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  )
}

/** Reads big-endian fields one after the other; reading past the end is a `ProtocolError`, never a guess. */
export class ByteReader {
  #offset = 0
  readonly #bytes: Uint8Array
  readonly #view: DataView

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4))
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.#advance(8))
  }

  int64(): bigint {
    return this.#view.getBigInt64(this.#advance(8))
  }

  /** A view of the next `length` bytes, not a copy. */
  bytes(length: number): Uint8Array {
    const start = this.#advance(length)
    return this.#bytes.subarray(start, start + length)
  }

  #advance(length: number): number {
    if (length > this.remaining) {
      throw new ProtocolError('frame-too-short', `${length} bytes wanted, ${this.remaining} left`)
    }
    const start = this.#offset
    this.#offset += length
    return start
  }
}

/** Writes big-endian fields into a buffer of a size known beforehand; overrunning it is a programming error. */
export class ByteWriter {
  #offset = 0
  readonly #bytes: Uint8Array
  readonly #view: DataView

  constructor(size: number) {
    this.#bytes = new Uint8Array(size)
    this.#view = new DataView(this.#bytes.buffer)
  }

  uint32(value: number): this {
    this.#view.setUint32(this.#advance(4), value)
    return this
  }

  uint64(value: bigint): this {
    this.#view.setBigUint64(this.#advance(8), value)
    return this
  }

  int64(value: bigint): this {
    this.#view.setBigInt64(this.#advance(8), value)
    return this
  }

  bytes(value: Uint8Array): this {
    this.#bytes.set(value, this.#advance(value.length))
    return this
  }

  /** The buffer; every byte of it must have been written. */
  finish(): Uint8Array {
    if (this.#offset !== this.#bytes.length) {
      throw new RangeError(`${this.#bytes.length - this.#offset} bytes were not written`)
    }
    return this.#bytes
  }

  #advance(length: number): number {
    const start = this.#offset
    this.#offset += length
    if (this.#offset > this.#bytes.length) throw new RangeError('write past the end of the buffer')
    return start
  }
}
