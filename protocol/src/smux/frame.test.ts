import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import vectors from '../../vectors/smux.json' with { type: 'json' }
import { concatBytes, fromHex, toHex } from '../bytes.ts'
import {
  encodeSmuxFrame,
  SMUX_HEADER_SIZE,
  SMUX_MAXIMUM_DATA,
  SmuxCommand,
  type SmuxFrame,
  SmuxFrameReader,
} from './frame.ts'

const commandNames = Object.keys(SmuxCommand) as Array<keyof typeof SmuxCommand>
const commandOf = (name: string) => SmuxCommand[name as keyof typeof SmuxCommand]

function read(chunks: Iterable<Uint8Array>): SmuxFrame[] {
  const frames: SmuxFrame[] = []
  // Data is kept beyond the call here, which readers must not do without a copy.
  const reader = new SmuxFrameReader(frame => frames.push({ ...frame, data: frame.data.slice() }))
  let most = 0
  for (const chunk of chunks) {
    reader.push(chunk)
    most = Math.max(most, reader.bufferedBytes)
  }
  expect(most).toBeLessThan(SMUX_HEADER_SIZE + SMUX_MAXIMUM_DATA)
  return frames
}

function naiveEncode({ command, streamId, data }: SmuxFrame): Buffer {
  const header = Buffer.from([1, command, 0, 0, 0, 0, 0, 0])
  header.writeUInt16LE(data.length, 2)
  header.writeUInt32LE(streamId, 4)
  return Buffer.concat([header, data])
}

const frames: fc.Arbitrary<SmuxFrame> = fc
  .record({
    command: fc.constantFrom(...commandNames.map(name => SmuxCommand[name])),
    streamId: fc.integer({ min: 0, max: 0xffffffff }),
    data: fc.uint8Array({ maxLength: 300 }),
  })
  .map(frame => (frame.command === SmuxCommand.psh ? frame : { ...frame, data: new Uint8Array(0) }))

describe('the vectors', () => {
  test.each(vectors.frames)('$name', ({ command, streamId, data, hex }) => {
    expect(toHex(encodeSmuxFrame(commandOf(command), streamId, fromHex(data)))).toBe(hex)
    expect(read([fromHex(hex)])).toEqual([{ command: commandOf(command), streamId, data: fromHex(data) }])
  })

  test.each(vectors.malformed)('$name ends the session', ({ hex }) => {
    expect(() => read([fromHex(hex)])).toThrow(expect.objectContaining({ code: 'bad-smux-frame' }))
    expect(() => read([...fromHex(hex)].map(byte => Uint8Array.of(byte)))).toThrow(/smux/)
  })
})

describe('a stream of frames', () => {
  test('is read whole wherever it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(frames, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 40 })),
        (sent, cuts) => {
          const stream = concatBytes(
            sent.map(({ command, streamId, data }) => encodeSmuxFrame(command, streamId, data)),
          )
          expect(toHex(stream)).toBe(Buffer.concat(sent.map(naiveEncode)).toString('hex'))
          const chunks = []
          let offset = 0
          for (const size of cuts) {
            chunks.push(stream.subarray(offset, offset + size))
            offset += size
          }
          expect(read([...chunks, stream.subarray(offset)])).toEqual(sent)
        },
      ),
    )
  })

  test('of one frame of the largest size, byte by byte', () => {
    const frame = encodeSmuxFrame(SmuxCommand.psh, 3, new Uint8Array(SMUX_MAXIMUM_DATA).fill(7))
    const received = read(Array.from(frame, byte => Uint8Array.of(byte)))
    expect(received.map(({ data }) => data.length)).toEqual([SMUX_MAXIMUM_DATA])
  })

  test('of random bytes is read or refused, with bounded memory', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), chunks => {
        try {
          read(chunks)
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad-smux-frame' })
        }
      }),
    )
  })

  test('nobody can write a frame that is too long', () => {
    expect(() => encodeSmuxFrame(SmuxCommand.psh, 3, new Uint8Array(SMUX_MAXIMUM_DATA + 1))).toThrow(
      RangeError,
    )
  })
})
