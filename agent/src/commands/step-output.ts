import { closeSync, constants, fstatSync, openSync, readSync, write } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { StepOutputSink } from './document-request.ts'
import { MAXIMUM_STREAM } from './output-text.ts'

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants
const writeTo = promisify(write)
/** Bytes of one stream on disk, mark included. */
const MAXIMUM_FILE = 100 * 1024 * 1024
const CUT = Buffer.from('\n--output truncated--\n')
const NEWLINE = 0x0a
/** UTF-8 has at most four bytes for a character. */
const HEAD = (MAXIMUM_STREAM + 1) * 4

export type StreamName = 'stdout' | 'stderr'
type OutputFile = { fd: number; size: number; cut: boolean; last: number | undefined; newLine: boolean }

/**
 * What a step writes: two files, 0600, that hold at most 100 MiB each, and whoever watches. What is too much, or finds
 * no room on the disk, is dropped.
 */
export class StepOutput {
  readonly #files: Record<StreamName, OutputFile>
  readonly #sink: StepOutputSink
  readonly #limit: number
  readonly #writing = new Set<Promise<void>>()
  #closed = false

  /** `again`: the step ran before, and its output goes on. Throws where a file is not the step's own. */
  constructor(directory: string, sink: StepOutputSink, again: boolean, limit = MAXIMUM_FILE) {
    const stdout = openFile(join(directory, 'stdout'), again)
    try {
      this.#files = { stdout, stderr: openFile(join(directory, 'stderr'), again) }
    } catch (error) {
      closeSync(stdout.fd)
      throw error
    }
    this.#sink = sink
    this.#limit = limit
  }

  /** Calls for one stream are to wait for one another. */
  async write(stream: StreamName, bytes: Uint8Array): Promise<void> {
    const file = this.#files[stream]
    if (this.#closed || file.cut || bytes.length === 0) return
    const inside = file.newLine && file.last !== undefined && file.last !== NEWLINE
    file.newLine = false
    const whole = inside ? Buffer.concat([Uint8Array.of(NEWLINE), bytes]) : bytes
    const room = Math.max(0, this.#limit - CUT.length - file.size)
    file.cut = whole.length > room
    const kept = file.cut ? Buffer.concat([whole.subarray(0, room), CUT]) : whole
    const writing = this.#append(stream, kept)
    this.#writing.add(writing)
    await writing
    this.#writing.delete(writing)
  }

  /** Words about the step, on a line of their own. */
  async say(stream: StreamName, text: string): Promise<void> {
    this.startLine(stream)
    await this.write(stream, Buffer.from(text))
  }

  /** What is written next begins a line. */
  startLine(stream: StreamName): void {
    this.#files[stream].newLine = true
  }

  isEmpty(stream: StreamName): boolean {
    return this.#files[stream].size === 0
  }

  /** The beginning, with more than a reply takes. */
  head(stream: StreamName): string {
    const { fd, size } = this.#files[stream]
    if (size === 0) return ''
    const bytes = Buffer.alloc(Math.min(size, HEAD))
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, 0))
  }

  /** What comes later is dropped. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    // Or the number of the file could be another's by the time that it is used.
    await Promise.all(this.#writing)
    const { stdout, stderr } = this.#files
    closeSync(stdout.fd)
    closeSync(stderr.fd)
    await this.#sink.finish({ stdout: stdout.cut, stderr: stderr.cut })
  }

  async #append(stream: StreamName, bytes: Uint8Array): Promise<void> {
    const file = this.#files[stream]
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await writeTo(file.fd, bytes, done)
        file.size += bytesWritten
        done += bytesWritten
      }
    } catch {
      // A full disk is no reason to stop the program; what was written of it is the head that the reply has.
      file.cut = true
      return
    }
    file.last = bytes.at(-1)
    this.#sink.write(stream, bytes)
  }
}

/** Never through a link, and never into what is there already, unless it is the step's own from before a reboot. */
function openFile(path: string, again: boolean): OutputFile {
  const fd = openSync(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | (again ? 0 : O_EXCL), 0o600)
  const status = fstatSync(fd)
  if (!status.isFile() || status.nlink !== 1) {
    closeSync(fd)
    throw new Error(`${path} is not a file of this step.`)
  }
  const { size } = status
  return { fd, size, cut: size >= MAXIMUM_FILE, last: size === 0 ? undefined : NEWLINE, newLine: false }
}
