import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import vectors from '../../vectors/smux.json' with { type: 'json' }
import { concatBytes, fromHex, toHex } from '../bytes.ts'
import {
  readSmuxReason,
  readSmuxUpdate,
  SMUX_HEADER_SIZE,
  SMUX_MAXIMUM_DATA,
  SMUX_MAXIMUM_REASON,
  SmuxCommand,
  SmuxFrameReader,
  type SmuxVersion,
  smuxHeader,
  smuxReset,
  smuxUpdate,
} from './frame.ts'

type Frame = { command: number; streamId: number; data: Uint8Array }

const commandOf = (name: string) => SmuxCommand[name as keyof typeof SmuxCommand]

function encode(version: SmuxVersion, { command, streamId, data }: Frame): Uint8Array {
  const known = Object.values(SmuxCommand).find(value => value === command) ?? SmuxCommand.nop
  return concatBytes([smuxHeader(version, known, streamId, data.length), data])
}

function read(version: SmuxVersion, chunks: Iterable<Uint8Array>): Frame[] {
  const frames: Frame[] = []
  const reader = new SmuxFrameReader(version, (command, streamId, data) =>
    frames.push({ command, streamId, data: data.slice() }),
  )
  let most = 0
  for (const chunk of chunks) {
    reader.push(chunk)
    most = Math.max(most, reader.bufferedBytes)
  }
  expect(most).toBeLessThan(SMUX_HEADER_SIZE + SMUX_MAXIMUM_REASON)
  return frames
}

/** Data comes in pieces, and a frame without any says nothing. */
function joined(frames: Frame[]): Frame[] {
  const result: Frame[] = []
  for (const frame of frames) {
    const last = result.at(-1)
    if (frame.command !== SmuxCommand.psh) result.push(frame)
    else if (last?.command === SmuxCommand.psh && last.streamId === frame.streamId) {
      result[result.length - 1] = { ...last, data: concatBytes([last.data, frame.data]) }
    } else if (frame.data.length > 0) result.push(frame)
  }
  return result
}

function naiveEncode(version: SmuxVersion, { command, streamId, data }: Frame): Buffer {
  const header = Buffer.from([version, command, 0, 0, 0, 0, 0, 0])
  header.writeUInt16LE(data.length, 2)
  header.writeUInt32LE(streamId, 4)
  return Buffer.concat([header, data])
}

/** Reads a whole stream of frames that nobody cut. */
function naiveDecode(bytes: Buffer): Frame[] {
  if (bytes.length === 0) return []
  const size = 8 + bytes.readUInt16LE(2)
  const frame = {
    command: bytes.readUInt8(1),
    streamId: bytes.readUInt32LE(4),
    data: new Uint8Array(bytes.subarray(8, size)),
  }
  return [frame, ...naiveDecode(bytes.subarray(size))]
}

const dataOf = (version: SmuxVersion) =>
  fc.oneof(
    fc.record({ command: fc.constant(SmuxCommand.psh), data: fc.uint8Array({ maxLength: 300 }) }),
    fc.record({
      command: fc.constantFrom(SmuxCommand.syn, SmuxCommand.fin, SmuxCommand.nop),
      data: fc.constant(new Uint8Array(0)),
    }),
    ...(version === 1
      ? []
      : [
          fc.record({
            command: fc.constant(SmuxCommand.upd),
            data: fc.uint8Array({ minLength: 8, maxLength: 8 }),
          }),
          fc.record({
            command: fc.constant(SmuxCommand.rst),
            data: fc.uint8Array({ maxLength: SMUX_MAXIMUM_REASON }),
          }),
        ]),
  )
const framesOf = (version: SmuxVersion): fc.Arbitrary<Frame[]> =>
  fc.array(
    fc
      .tuple(fc.integer({ min: 0, max: 0xffffffff }), dataOf(version))
      .map(([streamId, rest]) => ({ streamId, ...rest })),
    { maxLength: 8 },
  )

describe('the vectors', () => {
  test.each(vectors.frames)('$name', ({ version, command, streamId, data, hex }) => {
    const frame = { command: commandOf(command), streamId, data: fromHex(data) }
    expect(toHex(encode(version as SmuxVersion, frame))).toBe(hex)
    expect(read(version as SmuxVersion, [fromHex(hex)])).toEqual(joined([frame]))
  })

  test.each(vectors.malformed)('$name ends the session', ({ version, hex }) => {
    const bytes = fromHex(hex)
    const damage = expect.objectContaining({ code: 'bad-smux-frame' })
    expect(() => read(version as SmuxVersion, [bytes])).toThrow(damage)
    expect(() =>
      read(
        version as SmuxVersion,
        Array.from(bytes, byte => Uint8Array.of(byte)),
      ),
    ).toThrow(damage)
  })
})

describe('an UPD', () => {
  test('carries what was consumed and the window, least byte first', () => {
    const parts = smuxUpdate(3, { consumed: 131_072, window: 262_144 })
    expect(toHex(concatBytes(parts))).toBe('02040800030000000000020000000400')
    expect(readSmuxUpdate(fromHex('00000000 0102030405060708').subarray(4))).toEqual({
      consumed: 0x04030201,
      window: 0x08070605,
    })
  })

  test('counts modulo 2³²', () => {
    expect(toHex(concatBytes(smuxUpdate(3, { consumed: 2 ** 32 + 5, window: 1 })))).toBe(
      '02040800030000000500000001000000',
    )
  })
})

describe('an RST', () => {
  test('carries its reason', () => {
    expect(toHex(concatBytes(smuxReset(3, 'refused')))).toBe('020507000300000072656675736564')
    expect(readSmuxReason(fromHex('72656675736564'))).toBe('refused')
  })

  test('cuts a reason that is too long between two characters', () => {
    for (const text of ['x'.repeat(600), 'ä'.repeat(400), 'a😀'.repeat(300), '€'.repeat(10_000)]) {
      const [, data = new Uint8Array(0)] = smuxReset(3, text)
      expect(data.length).toBeLessThanOrEqual(SMUX_MAXIMUM_REASON)
      expect(data.length).toBeGreaterThan(SMUX_MAXIMUM_REASON - 5)
      const reason = new TextDecoder('utf-8', { fatal: true }).decode(data)
      expect(text.startsWith(reason)).toBe(true)
    }
  })
})

describe.each([1, 2] as const)('a stream of frames of version %i', version => {
  test('is read whole wherever it is cut', () => {
    fc.assert(
      fc.property(framesOf(version), fc.array(fc.integer({ min: 1, max: 40 })), (sent, cuts) => {
        const stream = concatBytes(sent.map(frame => encode(version, frame)))
        const naive = Buffer.concat(sent.map(frame => naiveEncode(version, frame)))
        expect(toHex(stream)).toBe(naive.toString('hex'))
        const chunks = []
        let offset = 0
        for (const size of cuts) {
          chunks.push(stream.subarray(offset, offset + size))
          offset += size
        }
        const received = joined(read(version, [...chunks, stream.subarray(offset)]))
        expect(received).toEqual(joined(sent))
        expect(received).toEqual(joined(naiveDecode(naive)))
      }),
    )
  })

  test('of one frame of the largest size, byte by byte', () => {
    const data = Uint8Array.from({ length: SMUX_MAXIMUM_DATA }, (_, i) => i)
    const frame = concatBytes([smuxHeader(version, SmuxCommand.psh, 3, data.length), data])
    const received = read(
      version,
      Array.from(frame, byte => Uint8Array.of(byte)),
    )
    expect(concatBytes(received.map(piece => piece.data))).toEqual(data)
  })

  test('hands on data as a view of what came', () => {
    const chunk = concatBytes([smuxHeader(version, SmuxCommand.psh, 3, 100), new Uint8Array(100)])
    const pieces: Uint8Array[] = []
    new SmuxFrameReader(version, (_command, _streamId, data) => pieces.push(data)).push(chunk)
    expect(
      pieces.map(({ buffer, byteOffset, length }) => [buffer === chunk.buffer, byteOffset, length]),
    ).toEqual([[true, SMUX_HEADER_SIZE, 100]])
  })

  test('of random bytes is read or refused, with bounded memory', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), chunks => {
        try {
          read(version, chunks)
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad-smux-frame' })
        }
      }),
    )
  })
})

test('nobody can write a frame that is too long', () => {
  expect(() => smuxHeader(1, SmuxCommand.psh, 3, SMUX_MAXIMUM_DATA + 1)).toThrow(RangeError)
})
