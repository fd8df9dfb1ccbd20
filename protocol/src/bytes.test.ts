import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ByteReader,
  ByteWriter,
  concatBytes,
  decodeUtf8,
  decodeUtf8Strictly,
  equalBytes,
  fromHex,
  toHex,
  utf8,
} from './bytes.ts'

describe('hexadecimal', () => {
  test('both ways, with white space as in the vectors', () => {
    expect(toHex(Uint8Array.of(0, 0x74, 0xff))).toBe('0074ff')
    expect([...fromHex(' 00 74\nFF ')]).toEqual([0, 0x74, 0xff])
    expect(fromHex('').length).toBe(0)
  })

  test.each(['0', '0x', 'zz', '-1', '٠٠'])('%j is none', text => {
    expect(() => fromHex(text)).toThrow(/not hexadecimal/)
  })

  test('any bytes, against Buffer', () => {
    fc.assert(
      fc.property(fc.uint8Array(), bytes => {
        expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'))
        expect(fromHex(toHex(bytes))).toEqual(bytes)
      }),
    )
  })
})

test('chunks are joined, and compared by content', () => {
  const chunks = [Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)]
  expect([...concatBytes(chunks)]).toEqual([1, 2, 3])
  expect(concatBytes([]).length).toBe(0)
  expect(equalBytes(concatBytes(chunks), Uint8Array.of(1, 2, 3))).toBe(true)
  expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3))).toBe(false)
  expect(equalBytes(Uint8Array.of(1, 2, 4), Uint8Array.of(1, 2, 3))).toBe(false)
})

test('text that is no UTF-8 is replaced or refused, as asked', () => {
  expect(decodeUtf8(Uint8Array.of(0x61, 0xff))).toBe('a\ufffd')
  expect(() => decodeUtf8Strictly(Uint8Array.of(0x61, 0xff))).toThrow(TypeError)
  expect(decodeUtf8Strictly(utf8('naïve ☃'))).toBe('naïve ☃')
})

describe('ByteReader and ByteWriter', () => {
  test('write and read big-endian fields', () => {
    const bytes = new ByteWriter(22)
      .uint32(0x01020304)
      .uint64(0x0102030405060708n)
      .int64(-2n)
      .bytes(Uint8Array.of(9, 9))
      .finish()
    expect(toHex(bytes)).toBe('01020304 0102030405060708 fffffffffffffffe 0909'.replaceAll(' ', ''))
    const reader = new ByteReader(bytes)
    expect([reader.uint32(), reader.uint64(), reader.int64()]).toEqual([0x01020304, 0x0102030405060708n, -2n])
    expect(reader.remaining).toBe(2)
  })

  test('reads a view that does not start where its buffer does', () => {
    expect(new ByteReader(fromHex('ff ff 00 00 00 05 ff').subarray(2, 6)).uint32()).toBe(5)
  })

  test('reading past the end is the peer’s fault, writing past it is ours', () => {
    const reader = new ByteReader(fromHex('000000'))
    expect(() => reader.uint32()).toThrow(expect.objectContaining({ code: 'frame-too-short' }))
    expect(() => reader.bytes(4)).toThrow(expect.objectContaining({ code: 'frame-too-short' }))
    expect(() => new ByteWriter(3).uint32(1)).toThrow(RangeError)
    expect(() => new ByteWriter(3).bytes(new Uint8Array(2)).finish()).toThrow(/1 bytes were not written/)
  })
})
