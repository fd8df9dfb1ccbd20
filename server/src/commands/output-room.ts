import { readdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode } from '../store/private-file.ts'

/** Of all nodes of one command: a hundred of them may fill their streams. */
export const MAXIMUM_COMMAND_BYTES = 10 * 1024 ** 3
/** Of the file system, so much stays free for the store, whichever is less: without it nothing can be done at all. */
export const FREE_SHARE = 0.05
export const FREE_BYTES = 1024 ** 3
/** Others are looked for again. */
const MAXIMUM_REMEMBERED = 1_000
const FILES_AT_ONCE = 100

type FileSystem = { bavail: number; blocks: number; bsize: number }
type Used = { bytes: number }

/** How much output may still be kept. What was there before is counted once for each command, when more of it comes. */
export class OutputRoom {
  readonly #directory: string
  readonly #fileSystem: (directory: string) => Promise<FileSystem>
  /** By command; those that were used last come last. */
  readonly #used = new Map<string, Promise<Used>>()

  /** `directory` has one directory for each command. */
  constructor(directory: string, fileSystem: (directory: string) => Promise<FileSystem> = statfs) {
    this.#directory = directory
    this.#fileSystem = fileSystem
  }

  /** How many of so many bytes may be written; they count as written unless they are given back. */
  async take(commandId: string, bytes: number): Promise<{ taken: number; giveBack: () => void }> {
    const [used, isFree] = await Promise.all([this.#usedBy(commandId), this.#isFree(bytes)])
    const taken = isFree ? Math.max(0, Math.min(bytes, MAXIMUM_COMMAND_BYTES - used.bytes)) : 0
    used.bytes += taken
    return {
      taken,
      giveBack: () => {
        used.bytes -= taken
      },
    }
  }

  forget(commandId: string): void {
    this.#used.delete(commandId)
  }

  async #isFree(bytes: number): Promise<boolean> {
    const { bavail, blocks, bsize } = await this.#fileSystem(this.#directory)
    return bavail * bsize - bytes >= Math.min(blocks * bsize * FREE_SHARE, FREE_BYTES)
  }

  #usedBy(commandId: string): Promise<Used> {
    const used = this.#used.get(commandId) ?? this.#count(commandId)
    this.#used.delete(commandId)
    this.#used.set(commandId, used)
    const [oldest] = this.#used.keys()
    if (this.#used.size > MAXIMUM_REMEMBERED && oldest !== undefined) this.#used.delete(oldest)
    return used
  }

  #count(commandId: string): Promise<Used> {
    const counted = bytesIn(join(this.#directory, commandId)).then(bytes => ({ bytes }))
    counted.catch(() => this.forget(commandId))
    return counted
  }
}

async function bytesIn(directory: string): Promise<number> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true }).catch(nothing)
  const files = found.filter(entry => entry.isFile())
  let bytes = 0
  for (let at = 0; at < files.length; at += FILES_AT_ONCE) {
    const some = files.slice(at, at + FILES_AT_ONCE)
    const sizes = await Promise.all(some.map(file => stat(join(file.parentPath, file.name))))
    for (const { size } of sizes) bytes += size
  }
  return bytes
}

function nothing(error: unknown): [] {
  if (!hasCode(error, 'ENOENT')) throw error
  return []
}
