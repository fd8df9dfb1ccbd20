import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '@sallyport/protocol/clock'
import { reconnectDelay } from '@sallyport/protocol/reconnect'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { ApiFailure } from '../api-failure.ts'
import type { ControlPlane } from '../control-plane.ts'
import type { Log } from '../log.ts'
import type { OutputSink, StepOutputSink } from './document-request.ts'
import { stepDirectory } from './step-directory.ts'

type Stream = 'stdout' | 'stderr'

/** What ends sooner, and is short, is whole in the result. */
const UPLOAD_AFTER = 500
/** The result has no more of them (control-plane.md 10.2). */
const IN_RESULT: Readonly<Record<Stream, number>> = { stdout: 24_000, stderr: 8_000 }
const PIECE = 256 * 1024
/** Between pieces that are not whole: somebody watches, and thousands of nodes may be watched. */
const PAUSE = 250
const BACKOFF = { initial: 500, cap: 30_000 }
/** A piece on a slow line. */
const CALL_TIMEOUT = 60_000
/** How long a command waits for its uploads in all; then its result goes, and they go on. */
const WAIT_AT_MOST = 60_000
/** How long they go on. */
const GIVE_UP_AFTER = 3600_000

type UploadOptions = {
  server: Pick<ControlPlane, 'call'>
  commandId: string
  nodeId: string
  /** That of the command's steps. */
  directory: string
  /** The command was under way before a reboot: its files, and what the server has of them, are older than this. */
  resumed: boolean
  /** Aborts when the agent stops. */
  signal: AbortSignal
  clock: Clock
  log: Log
}

/** The output of a command's steps, brought to the server from their files while they run. */
export class OutputUpload implements OutputSink {
  readonly #options: UploadOptions
  #waitLeft = WAIT_AT_MOST

  constructor(options: UploadOptions) {
    this.#options = options
  }

  open(step: string): StepOutputSink {
    const streams = {
      stdout: new StreamUpload(this.#options, step, 'stdout'),
      stderr: new StreamUpload(this.#options, step, 'stderr'),
    }
    let cancelTimer: (() => void) | undefined
    let started = false
    const start = () => {
      started = true
      cancelTimer?.()
      streams.stdout.start()
      streams.stderr.start()
    }
    if (this.#options.resumed) start()
    return {
      write: (stream, bytes) => {
        streams[stream].written(bytes.length)
        if (started) return
        if (streams[stream].size > IN_RESULT[stream]) start()
        else cancelTimer ??= this.#options.clock.after(UPLOAD_AFTER, start)
      },
      finish: async () => {
        cancelTimer?.()
        if (started) await this.#wait(Promise.all([streams.stdout.finish(), streams.stderr.finish()]))
      },
    }
  }

  /** With the server away, the steps of a document wait for it once, not each. */
  async #wait(uploads: Promise<unknown>): Promise<void> {
    const { clock } = this.#options
    const since = clock.monotonic()
    let cancel = () => {}
    const enough = new Promise<void>(resolve => {
      cancel = clock.after(this.#waitLeft, resolve)
    })
    await Promise.race([uploads, enough])
    cancel()
    this.#waitLeft = Math.max(0, this.#waitLeft - (clock.monotonic() - since))
  }
}

/** One stream of a step: pieces in order, one request at a time, read from its file when it is their turn. */
class StreamUpload {
  readonly #options: UploadOptions
  readonly #step: string
  readonly #stream: Stream
  /** Bytes written by the step. */
  size = 0
  #offset = 0
  #finishing = false
  #done: Promise<void> | undefined
  /** Something was written, or the end was said, since the file was last looked at. */
  #news = false
  #wake: () => void = () => {}
  #failures = 0
  #failingSince = 0

  constructor(options: UploadOptions, step: string, stream: Stream) {
    this.#options = options
    this.#step = step
    this.#stream = stream
  }

  written(bytes: number): void {
    this.size += bytes
    this.#news = true
    this.#wake()
  }

  start(): void {
    this.#done ??= this.#run().catch((error: Error) => this.#giveUp(error))
  }

  async finish(): Promise<void> {
    this.#finishing = true
    this.#news = true
    this.#wake()
    await this.#done
  }

  async #run(): Promise<void> {
    while (!this.#options.signal.aborted) {
      // Asked before the file is read: what is in it when everything was written is everything.
      const last = this.#finishing
      this.#news = false
      const piece = await this.#read()
      if (piece !== undefined && piece.length > 0) {
        if (!(await this.#put(piece))) return
        if (piece.length === PIECE || this.#finishing) continue
        await this.#pause(PAUSE)
      } else if (last) return
      else await this.#idle()
    }
  }

  /** The program may do as it likes in there: what is no plain file is not read. */
  async #read(): Promise<Uint8Array | undefined> {
    const path = join(this.#options.directory, stepDirectory(this.#step), this.#stream)
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const file = await open(path, flags).catch(() => undefined)
    if (file === undefined) return undefined
    try {
      if (!(await file.stat()).isFile()) return undefined
      const buffer = Buffer.allocUnsafe(PIECE)
      const { bytesRead } = await file.read(buffer, 0, PIECE, this.#offset)
      return buffer.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  }

  /** False if no more is to come. Otherwise the next offset is what the server says it is. */
  async #put(piece: Uint8Array): Promise<boolean> {
    const { server, commandId, nodeId, clock } = this.#options
    const input = {
      CommandId: commandId,
      InstanceId: nodeId,
      PluginName: this.#step,
      Stream: this.#stream,
      Offset: this.#offset,
      Content: Buffer.from(piece).toString('base64'),
    }
    try {
      const answer = (await server.call('PutCommandOutput', input, CALL_TIMEOUT)) as Partial<PutAnswer> | null
      this.#failures = 0
      return this.#follow(answer ?? {})
    } catch (error) {
      if (this.#failures === 0) this.#failingSince = clock.monotonic()
      const hopeless = clock.monotonic() - this.#failingSince > GIVE_UP_AFTER || isFinal(error)
      if (hopeless) {
        this.#giveUp(error as Error)
        return false
      }
      await this.#pause(reconnectDelay(nodeCrypto, BACKOFF, this.#failures++))
      return true
    }
  }

  #giveUp({ message }: Error): void {
    const { commandId, log } = this.#options
    log('output is not uploaded', { commandId, step: this.#step, error: message })
  }

  #follow({ NextOffset, Full }: Partial<PutAnswer>): boolean {
    const before = this.#offset
    if (Full === true || !Number.isSafeInteger(NextOffset)) return false
    this.#offset = Math.max(0, NextOffset as number)
    return this.#offset > before
  }

  async #pause(milliseconds: number): Promise<void> {
    await this.#until(resolve => this.#options.clock.after(milliseconds, resolve))
  }

  /** Until something is written, or the step has finished. */
  async #idle(): Promise<void> {
    if (this.#news) return
    await this.#until(resolve => {
      this.#wake = resolve
      return () => {}
    })
  }

  /** Or until the agent stops. */
  async #until(begin: (resolve: () => void) => () => void): Promise<void> {
    const { signal } = this.#options
    if (signal.aborted) return
    await new Promise<void>(resolve => {
      const cancel = begin(end)
      function end() {
        signal.removeEventListener('abort', end)
        cancel()
        resolve()
      }
      signal.addEventListener('abort', end)
    })
  }
}

type PutAnswer = { NextOffset: number; Full: boolean }

/** The server has understood, and does not want it: the command is not its own, or is over. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof ApiFailure) || error.status >= 500) return false
  return !/Throttl|TooMany|RateExceeded|Expired|UnrecognizedClient|InvalidClientToken|AccessDenied/.test(
    error.code,
  )
}
