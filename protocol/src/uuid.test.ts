import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromHex, toHex } from './bytes.ts'
import { nodeCrypto } from './transport/node-crypto.ts'
import { newUuid, readUuid, writeUuid } from './uuid.ts'

test('the least significant half comes first on the wire (data-plane.md 2.2)', () => {
  const text = '01234567-89ab-4cde-8f01-23456789abcd'
  expect(toHex(writeUuid(text))).toBe('8f0123456789abcd0123456789ab4cde')
  expect(readUuid(fromHex('8f0123456789abcd0123456789ab4cde'))).toBe(text)
})

test('any 16 bytes are read, and come back as they were', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), wire => {
      const text = readUuid(wire)
      expect(text).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/)
      expect(toHex(writeUuid(text))).toBe(toHex(wire))
      expect(toHex(writeUuid(text.toUpperCase()))).toBe(toHex(wire))
    }),
  )
})

test.each(['', '01234567', '0123456789ab4cde8f0123456789abcd', '{01234567-89ab-4cde-8f01-23456789abcd}'])(
  '%j is no UUID',
  text => {
    expect(() => writeUuid(text)).toThrow(/not a UUID/)
  },
)

test('a new one is of version 4 and variant 1 (RFC 9562 5.4), whatever the random bytes are', () => {
  for (const byte of [0x00, 0xff]) {
    const crypto = { ...nodeCrypto, randomBytes: (length: number) => new Uint8Array(length).fill(byte) }
    expect(newUuid(crypto)).toMatch(/^.{8}-.{4}-4.{3}-[89ab].{3}-.{12}$/)
  }
  expect(newUuid(nodeCrypto)).not.toBe(newUuid(nodeCrypto))
})
