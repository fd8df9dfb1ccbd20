import { lstat, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ProtocolError } from '@sallyport/protocol/errors'
import { jsonRecord } from '@sallyport/protocol/json-record'
import type { DocumentProgress } from './document-request.ts'
import { isCommandId } from './job.ts'

// What the agent keeps of commands: one directory (0700) for each, all of them in one.
//
//   job.json       from when it is accepted; written last of all that acceptance writes, and synced
//   progress.json  how many steps are through; all of them where it waits for a reboot
//   cancelled      the server asked for its end
//   reply-<n>.json a reply that is not acknowledged
//   result.json    the last reply; synced
//   acknowledged   the server has the result
//   run/           from when it is begun; the steps' own: what is in it is never read as one of the above
const JOB = 'job.json'
const PROGRESS = 'progress.json'
const CANCELLED = 'cancelled'
export const RESULT = 'result.json'
const ACKNOWLEDGED = 'acknowledged'
const REPLY = /^reply-(\d{1,9})\.json$/
const RUN = 'run'
/** Before the id of one that is being removed. */
const REMOVED = '.removed-'
const DIRECTORY_MODE = 0o700
const FILE_MODE = 0o600

const jobFields = { acceptedAt: 'number', atOnce: 'boolean', boot: 'string', content: 'string' } as const
const jobRecord = jsonRecord(JOB, jobFields)
/** `atOnce`: it was begun as soon as this was on disk. `content`: of the job; empty where none came. */
export type AcceptedJob = { acceptedAt: number; atOnce: boolean; boot: string; content: string }

const progressRecord = jsonRecord(PROGRESS, {
  finished: 'number',
  reboots: 'number',
  boot: 'string?',
  resume: 'json?',
})
/** `resume`: it asked for a reboot, in the boot `boot`, and goes on from here in another. */
export type Progress = {
  finished: number
  reboots: number
  boot?: string | undefined
  resume?: DocumentProgress | undefined
}

const replyRecord = jsonRecord('reply', { messageId: 'string', content: 'string' })
type StoredReply = { messageId: string; content: string }

/** One that the server has not acknowledged. */
export type ReplyFile = { commandId: string; file: string; messageId: string }

export type StoredCommand = {
  commandId: string
  /** Milliseconds since the epoch; undefined while it has not ended. */
  endedAt: number | undefined
  /** Of one that has not ended. */
  job: AcceptedJob | undefined
  begun: boolean
  cancelled: boolean
  progress: Progress | undefined
  replies: ReplyFile[]
  nextReply: number
}

export class CommandRecords {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Everything that a former life left, oldest first. What was never wholly accepted is removed. */
  async load(): Promise<StoredCommand[]> {
    await mkdir(this.#directory, { recursive: true, mode: DIRECTORY_MODE })
    const stored: StoredCommand[] = []
    for (const name of await readdir(this.#directory)) {
      if (name.startsWith(REMOVED)) await rm(join(this.#directory, name), { recursive: true, force: true })
      if (!isCommandId(name)) continue
      const command = await this.#read(name)
      if (command === undefined) await this.remove(name)
      else stored.push(command)
    }
    const age = (command: StoredCommand) => command.endedAt ?? command.job?.acceptedAt ?? 0
    return stored.sort((a, b) => age(a) - age(b))
  }

  /** Durable when it resolves. */
  async accept(commandId: string, job: AcceptedJob): Promise<void> {
    const directory = this.#of(commandId)
    const file = join(directory, JOB)
    await mkdir(directory, { mode: DIRECTORY_MODE })
    try {
      await writeFile(file, jobRecord.encode(job), { mode: FILE_MODE })
      await Promise.all([file, directory, this.#directory].map(sync))
    } catch (error) {
      // Or it could never be accepted later, when the disk has room again.
      await this.remove(commandId).catch(() => {})
      throw error
    }
  }

  /** The directory for its steps. `durable` where acceptance does not imply that it was begun. */
  async begin(commandId: string, durable: boolean): Promise<string> {
    const directory = this.#of(commandId)
    const run = join(directory, RUN)
    await mkdir(run, { recursive: true, mode: DIRECTORY_MODE })
    if (durable) await sync(directory)
    return run
  }

  /** A machine that dies needs only what it is to go on with; an agent that dies leaves what it has written. */
  async writeProgress(commandId: string, progress: Progress, durable: boolean): Promise<void> {
    await this.#replace(commandId, PROGRESS, progressRecord.encode(progress), durable)
  }

  async markCancelled(commandId: string): Promise<void> {
    const directory = this.#of(commandId)
    const file = join(directory, CANCELLED)
    await writeFile(file, '', { mode: FILE_MODE })
    await Promise.all([file, directory].map(sync))
  }

  /** What an agent that dies leaves; for what a machine leaves that dies there is `syncReply`. */
  async writeReply(commandId: string, file: string, reply: StoredReply): Promise<void> {
    const content = replyRecord.encode(reply)
    if (file !== RESULT) return await this.#replace(commandId, file, content, false)
    // In its place at once: half of it would not be taken for a result.
    await writeFile(join(this.#of(commandId), RESULT), content, { mode: FILE_MODE })
  }

  async syncReply(commandId: string, file: string): Promise<void> {
    const directory = this.#of(commandId)
    await Promise.all([join(directory, file), directory].map(sync))
  }

  /** Undefined if it is gone. */
  async readReply(commandId: string, file: string): Promise<StoredReply | undefined> {
    return await readJson(join(this.#of(commandId), file), replyRecord)
  }

  /** A lost mark only means that the server hears the result once more. */
  async markAcknowledged(commandId: string, file: string): Promise<void> {
    const directory = this.#of(commandId)
    if (file === RESULT) await writeFile(join(directory, ACKNOWLEDGED), '', { mode: FILE_MODE })
    else await rm(join(directory, file), { force: true })
  }

  /** Never seen half removed: without its result a command would look as if it were still to be run. */
  async remove(commandId: string): Promise<void> {
    const removed = join(this.#directory, REMOVED + commandId)
    try {
      await rename(this.#of(commandId), removed)
    } catch (error) {
      if (!isCode(error, 'ENOENT')) throw error
    }
    await rm(removed, { recursive: true, force: true })
  }

  /** Bytes on disk. */
  async size(commandId: string): Promise<number> {
    return await sizeOf(this.#of(commandId))
  }

  /** Whoever comes with something else is a bug in here: ids are checked where jobs are read. */
  #of(commandId: string): string {
    if (!isCommandId(commandId)) throw new TypeError('not the id of a command')
    return join(this.#directory, commandId)
  }

  async #replace(commandId: string, file: string, content: Uint8Array, durable: boolean): Promise<void> {
    const directory = this.#of(commandId)
    const temporary = join(directory, `.${file}.tmp`)
    await writeFile(temporary, content, { mode: FILE_MODE, flush: durable })
    await rename(temporary, join(directory, file))
    if (durable) await sync(directory)
  }

  /** Undefined if its acceptance was not completed, and so never told to anybody. */
  async #read(commandId: string): Promise<StoredCommand | undefined> {
    const directory = this.#of(commandId)
    const files = new Set(await readdir(directory))
    const endedAt = await this.#endedAt(commandId, files)
    const unfinished = endedAt === undefined
    const job = unfinished ? await readJson(join(directory, JOB), jobRecord) : undefined
    if (unfinished && job === undefined) return undefined
    return {
      commandId,
      endedAt,
      job,
      begun: files.has(RUN),
      cancelled: files.has(CANCELLED),
      progress: unfinished ? await this.#progress(directory) : undefined,
      replies: await this.#replies(commandId, files),
      nextReply: 1 + Math.max(0, ...[...files].map(numberOf)),
    }
  }

  async #endedAt(commandId: string, files: ReadonlySet<string>): Promise<number | undefined> {
    const whole = files.has(ACKNOWLEDGED) || (await this.readReply(commandId, RESULT)) !== undefined
    // The server may have a result that the disk had no room for.
    const last = files.has(RESULT) ? RESULT : ACKNOWLEDGED
    return whole ? (await lstat(join(this.#of(commandId), last))).mtimeMs : undefined
  }

  async #progress(directory: string): Promise<Progress | undefined> {
    return (await readJson(join(directory, PROGRESS), progressRecord)) as Progress | undefined
  }

  async #replies(commandId: string, files: ReadonlySet<string>): Promise<ReplyFile[]> {
    const names = [...files].filter(file => REPLY.test(file)).sort((a, b) => numberOf(a) - numberOf(b))
    if (files.has(RESULT) && !files.has(ACKNOWLEDGED)) names.push(RESULT)
    const replies: ReplyFile[] = []
    for (const file of names) {
      const reply = await this.readReply(commandId, file)
      if (reply !== undefined) replies.push({ commandId, file, messageId: reply.messageId })
    }
    return replies
  }
}

export function replyFile(number: number): string {
  return `reply-${number}.json`
}

function numberOf(file: string): number {
  return Number(REPLY.exec(file)?.[1] ?? 0)
}

/** Undefined for what is not there, or was being written when the machine died. */
async function readJson<T>(path: string, record: { read(json: unknown): T }): Promise<T | undefined> {
  try {
    return record.read(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if (isCode(error, 'ENOENT') || error instanceof SyntaxError || error instanceof ProtocolError)
      return undefined
    throw error
  }
}

function isCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code
}

/** Of a file, what is in it; its name is durable when its directory is. */
async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Links are not followed; what goes away meanwhile has no size. */
async function sizeOf(path: string): Promise<number> {
  const status = await lstat(path).catch(() => undefined)
  if (status === undefined) return 0
  if (!status.isDirectory()) return status.blocks * 512
  let size = status.blocks * 512
  for (const name of await readdir(path).catch(() => [])) size += await sizeOf(join(path, name))
  return size
}
