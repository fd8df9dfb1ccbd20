import { concatBytes } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'

// The frame of smux version 1; all integers little-endian (data-plane.md 15.4, xtaci/smux frame.go).
//
//   Version | Command | Length | StreamId | Data
const VERSION_OFFSET = 0
const COMMAND_OFFSET = 1
const LENGTH_OFFSET = 2
const STREAM_ID_OFFSET = 4
export const SMUX_HEADER_SIZE = 8
/** What the 16 bits of Length can say; upstream writes at most 32,768. */
export const SMUX_MAXIMUM_DATA = 65_535

const VERSION = 1

export const SmuxCommand = {
  /** Opens a stream; nothing answers it. */
  syn: 0,
  /** Ends a stream. */
  fin: 1,
  /** Carries data. */
  psh: 2,
  /** Keeps the session alive; its stream is 0. */
  nop: 3,
} as const
type Command = (typeof SmuxCommand)[keyof typeof SmuxCommand]

export type SmuxFrame = {
  command: Command
  streamId: number
  /** Empty in all frames but `psh`. */
  data: Uint8Array
}

const NO_DATA = new Uint8Array(0)

export function encodeSmuxFrame(command: Command, streamId: number, data: Uint8Array = NO_DATA): Uint8Array {
  if (data.length > SMUX_MAXIMUM_DATA) {
    throw new RangeError(`a smux frame has at most ${SMUX_MAXIMUM_DATA} bytes of data, not ${data.length}`)
  }
  const frame = new Uint8Array(SMUX_HEADER_SIZE + data.length)
  const view = new DataView(frame.buffer)
  view.setUint8(VERSION_OFFSET, VERSION)
  view.setUint8(COMMAND_OFFSET, command)
  view.setUint16(LENGTH_OFFSET, data.length, true)
  view.setUint32(STREAM_ID_OFFSET, streamId, true)
  frame.set(data, SMUX_HEADER_SIZE)
  return frame
}

/**
 * Finds the frames in a byte stream that is cut anywhere (data-plane.md 15.4). Holds less than one frame, which
 * is at most `SMUX_HEADER_SIZE + SMUX_MAXIMUM_DATA` bytes.
 */
export class SmuxFrameReader {
  readonly #onFrame: (frame: SmuxFrame) => void
  #chunks: Uint8Array[] = []
  #held = 0
  /** Bytes that the frame at hand needs, as far as is known. */
  #needed = SMUX_HEADER_SIZE

  constructor(onFrame: (frame: SmuxFrame) => void) {
    this.#onFrame = onFrame
  }

  get bufferedBytes(): number {
    return this.#held
  }

  /**
   * Takes the next bytes and calls back for every frame that they complete; its data may be a view of `chunk`.
   * Throws `ProtocolError` 'bad-smux-frame': the session is lost, as nobody knows where the next frame starts.
   */
  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#held += chunk.length
    if (this.#held < this.#needed) return
    let bytes = this.#chunks.length === 1 ? chunk : concatBytes(this.#chunks)
    while (bytes.length >= SMUX_HEADER_SIZE) {
      const { command, streamId, length } = readHeader(bytes)
      const size = SMUX_HEADER_SIZE + length
      if (bytes.length < size) break
      this.#onFrame({ command, streamId, data: bytes.subarray(SMUX_HEADER_SIZE, size) })
      bytes = bytes.subarray(size)
    }
    this.#chunks = bytes.length === 0 ? [] : [bytes]
    this.#held = bytes.length
    this.#needed =
      bytes.length < SMUX_HEADER_SIZE ? SMUX_HEADER_SIZE : SMUX_HEADER_SIZE + readHeader(bytes).length
  }
}

function readHeader(bytes: Uint8Array): { command: Command; streamId: number; length: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, SMUX_HEADER_SIZE)
  const version = view.getUint8(VERSION_OFFSET)
  if (version !== VERSION)
    throw new ProtocolError('bad-smux-frame', `smux version ${version}, not ${VERSION}`)
  const command = view.getUint8(COMMAND_OFFSET)
  if (!isCommand(command)) throw new ProtocolError('bad-smux-frame', `smux has no command ${command}`)
  const length = view.getUint16(LENGTH_OFFSET, true)
  if (length > 0 && command !== SmuxCommand.psh) {
    throw new ProtocolError(
      'bad-smux-frame',
      `smux command ${command} carries no data, this one ${length} bytes`,
    )
  }
  return { command, streamId: view.getUint32(STREAM_ID_OFFSET, true), length }
}

function isCommand(command: number): command is Command {
  return command <= SmuxCommand.nop
}
