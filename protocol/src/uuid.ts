import { toHex } from './bytes.ts'
import type { Crypto } from './crypto.ts'

const UUID = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i
const HALF = 8
/** Where the digits of each byte begin in the text. */
const DIGITS = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]

/** The 16 wire bytes of a UUID: its least significant half comes first (data-plane.md 2.2). */
export function writeUuid(text: string): Uint8Array {
  if (!UUID.test(text)) throw new TypeError(`not a UUID: ${text}`)
  const wire = new Uint8Array(2 * HALF)
  for (const [i, at] of DIGITS.entries()) {
    wire[(i + HALF) % (2 * HALF)] = 16 * digit(text.charCodeAt(at)) + digit(text.charCodeAt(at + 1))
  }
  return wire
}

/** Of an ASCII code that is known to be a hexadecimal digit. */
function digit(code: number): number {
  return code <= 0x39 ? code - 0x30 : (code | 0x20) - 0x61 + 10
}

/** Reads what `writeUuid` wrote. */
export function readUuid(wire: Uint8Array): string {
  return hyphenated(toHex(wire.subarray(HALF)) + toHex(wire.subarray(0, HALF)))
}

/** A random (version 4) UUID, RFC 9562 5.4. */
export function newUuid(crypto: Crypto): string {
  const bytes = crypto.randomBytes(2 * HALF)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return hyphenated(toHex(bytes))
}

function hyphenated(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
