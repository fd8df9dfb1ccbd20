import { decodeUtf8, utf8 } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'

// The frame of smux; all integers little-endian (data-plane.md 15.4, xtaci/smux frame.go).
//
//   Version | Command | Length | StreamId | Data
const VERSION_OFFSET = 0
const COMMAND_OFFSET = 1
const LENGTH_OFFSET = 2
const STREAM_ID_OFFSET = 4
export const SMUX_HEADER_SIZE = 8
/** What the 16 bits of Length can say. */
export const SMUX_MAXIMUM_DATA = 65_535

// The data of UPD: Consumed | Window.
const CONSUMED_OFFSET = 0
const WINDOW_OFFSET = 4
const UPDATE_SIZE = 8
/** Bytes of the reason in an RST. */
export const SMUX_MAXIMUM_REASON = 512

/**
 * Version 1 is what stock peers speak; version 2 is spoken among our own: it has a window for each stream, and
 * tells the end of one direction from the end of both.
 */
export type SmuxVersion = 1 | 2

export const SmuxCommand = {
  /** Opens a stream; nothing answers it. */
  syn: 0,
  /** Version 1: ends a stream. Version 2: its sender has no more data, but takes what comes. */
  fin: 1,
  /** Carries data. */
  psh: 2,
  /** Keeps the session alive; its stream is 0. */
  nop: 3,
  /** Version 2: what was consumed of a stream in all, and how much may be under way. */
  upd: 4,
  /** Version 2, ours: aborts a stream in both directions; its data is the reason in UTF-8. */
  rst: 5,
} as const
type Command = (typeof SmuxCommand)[keyof typeof SmuxCommand]

const LAST_COMMAND = { 1: SmuxCommand.nop, 2: SmuxCommand.rst } as const

const NO_DATA = new Uint8Array(0)

/** The header of a frame; `length` bytes of data must follow. */
export function smuxHeader(version: SmuxVersion, command: Command, streamId: number, length = 0): Uint8Array {
  if (length > SMUX_MAXIMUM_DATA) {
    throw new RangeError(`a smux frame has at most ${SMUX_MAXIMUM_DATA} bytes of data, not ${length}`)
  }
  const header = new Uint8Array(SMUX_HEADER_SIZE)
  const view = new DataView(header.buffer)
  view.setUint8(VERSION_OFFSET, version)
  view.setUint8(COMMAND_OFFSET, command)
  view.setUint16(LENGTH_OFFSET, length, true)
  view.setUint32(STREAM_ID_OFFSET, streamId, true)
  return header
}

/** The parts of an UPD; `consumed` counts modulo 2³². */
export function smuxUpdate(streamId: number, { consumed, window }: SmuxUpdate): Uint8Array[] {
  const data = new Uint8Array(UPDATE_SIZE)
  const view = new DataView(data.buffer)
  view.setUint32(CONSUMED_OFFSET, consumed >>> 0, true)
  view.setUint32(WINDOW_OFFSET, window, true)
  return [smuxHeader(2, SmuxCommand.upd, streamId, UPDATE_SIZE), data]
}

export type SmuxUpdate = { consumed: number; window: number }

export function readSmuxUpdate(data: Uint8Array): SmuxUpdate {
  const view = new DataView(data.buffer, data.byteOffset, UPDATE_SIZE)
  return { consumed: view.getUint32(CONSUMED_OFFSET, true), window: view.getUint32(WINDOW_OFFSET, true) }
}

/** The parts of an RST; a reason that is too long is cut between two characters. */
export function smuxReset(streamId: number, reason: string): Uint8Array[] {
  let characters = [...reason.slice(0, SMUX_MAXIMUM_REASON)]
  while (utf8(characters.join('')).length > SMUX_MAXIMUM_REASON) characters = characters.slice(0, -1)
  const data = utf8(characters.join(''))
  return [smuxHeader(2, SmuxCommand.rst, streamId, data.length), data]
}

/** What the peer wrote: to be rendered inert. */
export function readSmuxReason(data: Uint8Array): string {
  return decodeUtf8(data)
}

/** `data` is empty in `syn`, `fin` and `nop`, whole in `upd` and `rst`, and in `psh` a piece of the frame's. */
type OnFrame = (command: Command, streamId: number, data: Uint8Array) => void

/**
 * Finds the frames in a byte stream that is cut anywhere. Data is handed on as it comes, as views of what came,
 * so that nothing is held but a header and what is short.
 */
export class SmuxFrameReader {
  readonly #version: SmuxVersion
  readonly #onFrame: OnFrame
  /** The header, and the data of an UPD or RST. */
  readonly #head = new Uint8Array(SMUX_HEADER_SIZE + SMUX_MAXIMUM_REASON)
  #held = 0
  #needed = SMUX_HEADER_SIZE
  /** The PSH that is being read. */
  #streamId = 0
  #remaining = 0

  constructor(version: SmuxVersion, onFrame: OnFrame) {
    this.#version = version
    this.#onFrame = onFrame
  }

  get bufferedBytes(): number {
    return this.#held
  }

  /**
   * Takes the next bytes and calls back for what they contain.
   * Throws `ProtocolError` 'bad-smux-frame': the session is lost, as nobody knows where the next frame starts.
   */
  push(chunk: Uint8Array): void {
    let offset = 0
    while (offset < chunk.length) {
      if (this.#remaining === 0) {
        offset = this.#readHead(chunk, offset)
      } else {
        const end = Math.min(chunk.length, offset + this.#remaining)
        this.#remaining -= end - offset
        this.#onFrame(SmuxCommand.psh, this.#streamId, chunk.subarray(offset, end))
        offset = end
      }
    }
  }

  #readHead(chunk: Uint8Array, offset: number): number {
    const end = Math.min(chunk.length, offset + this.#needed - this.#held)
    this.#head.set(chunk.subarray(offset, end), this.#held)
    this.#held += end - offset
    if (this.#held === this.#needed) this.#finishHead()
    return end
  }

  #finishHead(): void {
    const { command, streamId, length } = readHeader(this.#version, this.#head)
    if (command !== SmuxCommand.psh && this.#held < SMUX_HEADER_SIZE + length) {
      this.#needed = SMUX_HEADER_SIZE + length
      return
    }
    const data = this.#held === SMUX_HEADER_SIZE ? NO_DATA : this.#head.slice(SMUX_HEADER_SIZE, this.#held)
    this.#held = 0
    this.#needed = SMUX_HEADER_SIZE
    if (command === SmuxCommand.psh) {
      this.#streamId = streamId
      this.#remaining = length
    } else this.#onFrame(command, streamId, data)
  }
}

function readHeader(version: SmuxVersion, bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, SMUX_HEADER_SIZE)
  const theirs = view.getUint8(VERSION_OFFSET)
  if (theirs !== version) throw badSmux(`smux version ${theirs}, not ${version}`)
  const command = view.getUint8(COMMAND_OFFSET)
  if (!isCommand(version, command)) throw badSmux(`smux ${version} has no command ${command}`)
  const length = view.getUint16(LENGTH_OFFSET, true)
  if (!isLength(command, length)) throw badSmux(`smux command ${command} with ${length} bytes of data`)
  return { command, streamId: view.getUint32(STREAM_ID_OFFSET, true), length }
}

function isCommand(version: SmuxVersion, command: number): command is Command {
  return command <= LAST_COMMAND[version]
}

function isLength(command: Command, length: number): boolean {
  switch (command) {
    case SmuxCommand.psh:
      return true
    case SmuxCommand.upd:
      return length === UPDATE_SIZE
    case SmuxCommand.rst:
      return length <= SMUX_MAXIMUM_REASON
    default:
      return length === 0
  }
}

export function badSmux(message: string): ProtocolError {
  return new ProtocolError('bad-smux-frame', message)
}
