import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StoreError } from '../store/errors.ts'
import { hasCode } from '../store/private-file.ts'
import { OutputRoom } from './output-room.ts'

/** Of one stream of one step on one node. */
export const MAXIMUM_STREAM_BYTES = 100 * 1024 * 1024

export type OutputStream = 'stdout' | 'stderr'
/** `step` is the name that the node has for it: a plugin's in documents of schema 1.x. */
export type OutputKey = { commandId: string; nodeId: string; step: string; stream: OutputStream }

/** The part at this offset cannot be kept: what comes before it was not given yet. */
export class OutputGap extends Error {
  override readonly name = 'OutputGap'
  readonly size: number

  constructor(size: number) {
    super(`only ${size} bytes are here yet`)
    this.size = size
  }
}

const COMMAND_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const NODE_ID = /^(i|mi)-\w{8,17}$/
/** File systems take 255 bytes. */
const LONGEST_NAME = 200
const APPEND = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW
const READ = constants.O_RDONLY | constants.O_NOFOLLOW

/** What programs wrote on the nodes, whole, one file for each stream of each step: nothing of it is cut, as AWS does. */
export class CommandOutput {
  readonly #directory: string
  /** The last thing that is done to each file: parts of one that come at the same time wait for each other. */
  readonly #turns = new Map<string, Promise<unknown>>()
  readonly #room: OutputRoom

  constructor(directory: string, room = new OutputRoom(directory)) {
    this.#directory = directory
    this.#room = room
  }

  /**
   * Keeps what is new in `bytes`, which begin at `offset` of the stream; a part that is given again changes nothing.
   * `full` once the stream has MAXIMUM_STREAM_BYTES, or there is no more room for the command or on the disk (see
   * OutputRoom): what comes after is dropped. Throws OutputGap, and StoreError `full` where the disk is all the same.
   */
  append(
    key: OutputKey,
    offset: number,
    bytes: Uint8Array,
  ): Promise<{ size: number; added: number; full: boolean }> {
    const path = this.#path(key)
    return this.#inTurn(path, async () => {
      await using file = await openToAppend(path)
      const { size } = await file.stat()
      if (offset > size) throw new OutputGap(size)
      const fresh = bytes.subarray(size - offset).subarray(0, Math.max(0, MAXIMUM_STREAM_BYTES - size))
      const added = await this.#keep(key.commandId, file, fresh, size)
      const after = size + added
      return { size: after, added, full: after >= MAXIMUM_STREAM_BYTES || added < fresh.length }
    })
  }

  /** Answers for how many of the bytes there was room. */
  async #keep(commandId: string, file: FileHandle, bytes: Uint8Array, position: number): Promise<number> {
    if (bytes.length === 0) return 0
    const { taken, giveBack } = await this.#room.take(commandId, bytes.length)
    try {
      await writeAll(file, bytes.subarray(0, taken), position)
    } catch (error) {
      giveBack()
      throw error
    }
    return taken
  }

  /** At most `max` bytes from `offset`, and the size of all that is there; undefined if nothing ever came. */
  async read(
    key: OutputKey,
    offset: number,
    max: number,
  ): Promise<{ bytes: Uint8Array; size: number } | undefined> {
    const file = await open(this.#path(key), READ).catch(absent)
    if (file === undefined) return undefined
    await using opened = file
    const { size } = await opened.stat()
    const buffer = Buffer.alloc(Math.max(0, Math.min(max, size - offset)))
    const { bytesRead } = await opened.read(buffer, 0, buffer.length, offset)
    return { bytes: buffer.subarray(0, bytesRead), size }
  }

  async remove(commandId: string): Promise<void> {
    await rm(this.#commandDirectory(commandId), { recursive: true, force: true })
    this.#room.forget(commandId)
  }

  #commandDirectory(commandId: string): string {
    return join(this.#directory, checked(COMMAND_ID, commandId))
  }

  #path({ commandId, nodeId, step, stream }: OutputKey): string {
    return join(this.#commandDirectory(commandId), checked(NODE_ID, nodeId), `${fileName(step)}.${stream}`)
  }

  #inTurn<T>(path: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(path) ?? Promise.resolve()).then(work, work)
    this.#turns.set(path, turn)
    const done = () => {
      if (this.#turns.get(path) === turn) this.#turns.delete(path)
    }
    turn.then(done, done)
    return turn
  }
}

async function openToAppend(path: string): Promise<FileHandle> {
  try {
    return await open(path, APPEND, 0o600)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw unstored(error)
  }
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    return await open(path, APPEND, 0o600)
  } catch (error) {
    throw unstored(error)
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0
  try {
    while (written < bytes.length) {
      const left = bytes.length - written
      written += (await file.write(bytes, written, left, position + written)).bytesWritten
    }
  } catch (error) {
    throw unstored(error)
  }
}

/** The caller hears of a full disk in the same way wherever it shows. */
function unstored(error: unknown): unknown {
  const full = hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT')
  return full ? new StoreError('full', 'no room for output', error) : error
}

function absent(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) throw error
}

function checked(pattern: RegExp, id: string): string {
  if (pattern.test(id)) return id
  throw new Error(`${JSON.stringify(id.slice(0, 64))} cannot be part of the name of a file`)
}

/**
 * Different for different steps, and nothing but a name whatever they are called. A percent sign begins an escaped byte,
 * so that the names of long ones are no other's.
 */
function fileName(step: string): string {
  const escaped = [...Buffer.from(step)]
    .map(byte => {
      const character = String.fromCharCode(byte)
      return /[\w-]/.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`
    })
    .join('')
  return escaped.length <= LONGEST_NAME
    ? escaped
    : `%sha256-${createHash('sha256').update(step).digest('hex')}`
}
