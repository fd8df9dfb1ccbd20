import { chmodSync, closeSync, mkdirSync, openSync, renameSync, rmSync, statSync, write } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import { makeDirectory } from '../own-directory.ts'

const writeTo = promisify(write)
export const MAXIMUM_DOWNLOAD = 1024 * 1024 * 1024
/** As AWS's agent makes what it has downloaded: it may be a script. */
const FILE_MODE = 0o700

/**
 * Where content goes: `destinationPath`, below the downloads of the command unless it is absolute. A directory where it
 * ends with a slash, is empty, or is one already; otherwise the name of a file.
 */
export class Destination {
  readonly path: string
  readonly isDirectory: boolean
  readonly #downloads: string | undefined

  constructor(destinationPath: string, downloads: string) {
    this.path = isAbsolute(destinationPath) ? destinationPath : join(downloads, destinationPath)
    this.#downloads = isAbsolute(destinationPath) ? undefined : downloads
    if (this.#downloads !== undefined && relative(downloads, this.path).split(sep)[0] === '..') {
      throw new Error(`destinationPath '${destinationPath}' leads out of the directory of the command.`)
    }
    const there = statSync(this.path, { throwIfNoEntry: false })?.isDirectory() ?? false
    this.isDirectory = there || destinationPath === '' || /[/\\]$/.test(destinationPath)
  }

  /** The path of a file that would be called `name` in a directory. */
  file(name: string): string {
    const path = this.isDirectory ? join(this.path, name) : this.path
    this.makeDirectory(dirname(path))
    return path
  }

  /** Below the downloads never through a link. */
  makeDirectory(path: string): void {
    if (this.#downloads === undefined) {
      mkdirSync(path, { recursive: true, mode: 0o700 })
      return
    }
    makeDirectory(this.#downloads)
    let directory = this.#downloads
    for (const name of relative(this.#downloads, path).split(sep)) {
      if (name === '') continue
      directory = join(directory, name)
      makeDirectory(directory)
    }
  }
}

export async function writeAll(fd: number, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await writeTo(fd, bytes, done)).bytesWritten
}

/** Writes a file under another name, and gives it its own once it is whole; a link of that name is replaced. */
export async function writeWhole(path: string, fill: (fd: number) => Promise<void> | void): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path).slice(0, 100)}.${crypto.randomUUID()}`)
  const fd = openSync(temporary, 'wx', 0o600)
  try {
    try {
      await fill(fd)
    } finally {
      closeSync(fd)
    }
    chmodSync(temporary, FILE_MODE)
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}
