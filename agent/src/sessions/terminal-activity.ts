import { TaskStatus } from '@sallyport/protocol/control-channel'
import { PayloadType } from '@sallyport/protocol/message-types'
import { decodeSize, encodeExitCode, type TerminalSize } from '@sallyport/protocol/payloads'
import { openPty, type Pty, type PtyExit } from '../pty/pty.ts'
import type { Account } from './account.ts'
import type { Activity, ActivityContext, Peer } from './activity.ts'
import { GatheredOutput } from './gathered-output.ts'
import { endProcesses } from './process-tree.ts'

/** A client sends its size with the first thing it says; one that has none must not be waited for long. */
const SIZE_TIMEOUT = 500
const DEFAULT_SIZE: TerminalSize = { cols: 80, rows: 24 }

export type TerminalActivityOptions = {
  sessionType: string
  /** Looked up, or created, while the handshake is under way. */
  account: Promise<Account>
  /** What runs on the terminal; without it the login shell. */
  program?: readonly string[]
  /** Put into the terminal before what the client types. */
  typedFirst?: string
}

/** A program on a terminal of its own: what shells and interactive commands have in common (data-plane.md 14.1, 14.2). */
export class TerminalActivity implements Activity {
  readonly sessionType: string
  readonly properties = null
  readonly #options: TerminalActivityOptions
  readonly #context: ActivityContext
  readonly #output: GatheredOutput
  #size: TerminalSize | undefined
  #onSize: () => void = () => {}
  #pty: Pty | undefined
  #ownClient = false
  #stopped = false
  #inputFull = false

  constructor(context: ActivityContext, options: TerminalActivityOptions) {
    this.sessionType = options.sessionType
    this.#context = context
    this.#options = options
    this.#output = new GatheredOutput(context.channel)
    // `#run` is where a failure is told; it must not count as unhandled until then.
    options.account.catch(() => {})
  }

  start(peer: Peer): void {
    this.#ownClient = peer.ownClient
    this.#run().catch((error: unknown) => {
      this.#context.onEnd(TaskStatus.failed, error instanceof Error ? error.message : String(error))
    })
  }

  deliver(payloadType: number, payload: Uint8Array): boolean {
    switch (payloadType) {
      case PayloadType.size:
        this.#resize(decodeSize(payload))
        return true
      case PayloadType.output:
        return this.#input(payload)
      default:
        return true
    }
  }

  onWritable(): void {
    this.#pty?.resume()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#onSize()
    if (this.#pty === undefined) return
    await endProcesses(this.#pty.pid, { detached: true })
    this.#pty.destroy()
  }

  async #run(): Promise<void> {
    const { account, program, typedFirst = '' } = this.#options
    const { user, start } = await account
    const size = await this.#firstSize()
    if (this.#stopped) return
    const pty = openPty({
      ...start(program === undefined ? {} : { program }),
      ...size,
      owner: { uid: user.uid, gid: user.gid },
    })
    this.#pty = pty
    if (this.#size !== undefined) pty.resize(this.#size.cols, this.#size.rows)
    pty.onData(chunk => {
      if (!this.#output.push(chunk)) pty.pause()
    })
    pty.onDrain(() => this.#inputRoom())
    if (typedFirst !== '') pty.write(Buffer.from(typedFirst))
    this.#context.onInputRoom()
    this.#exited(await pty.exited)
  }

  #exited(exit: PtyExit): void {
    if (this.#stopped) return
    this.#output.flush()
    // Stock clients print this as text (data-plane.md 14.1), so it is for our own only.
    if (this.#ownClient) this.#context.channel.sendWhole(PayloadType.exitCode, encodeExitCode(exit.exitCode))
    this.#context.onEnd(TaskStatus.success, '')
  }

  /** The program starts in a terminal of the right size: one that asks at once gets the right answer. */
  async #firstSize(): Promise<TerminalSize> {
    if (this.#size === undefined && !this.#stopped) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, SIZE_TIMEOUT)
        this.#onSize = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    return this.#size ?? DEFAULT_SIZE
  }

  #resize(size: TerminalSize): void {
    if (size.cols === 0 || size.rows === 0) return
    this.#size = size
    this.#onSize()
    this.#pty?.resize(size.cols, size.rows)
  }

  #input(data: Uint8Array): boolean {
    if (this.#pty === undefined || this.#inputFull) return false
    // What was written is taken, even when it fills the queue: only the next has to wait.
    this.#inputFull = !this.#pty.write(data)
    return true
  }

  #inputRoom(): void {
    if (!this.#inputFull) return
    this.#inputFull = false
    this.#context.onInputRoom()
  }
}
