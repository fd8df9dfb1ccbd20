import { TaskStatus } from '@sallyport/protocol/control-channel'
import { SessionType } from '@sallyport/protocol/handshake'
import { jsonRecord } from '@sallyport/protocol/json-record'
import { PayloadType } from '@sallyport/protocol/message-types'
import { decodeSize, encodeExitCode, type TerminalSize } from '@sallyport/protocol/payloads'
import { openPty, type Pty, type PtyExit } from '../pty/pty.ts'
import type { Activity, ActivityContext, SessionDocument } from './activity.ts'
import { GatheredOutput } from './gathered-output.ts'
import { loginShell } from './login-shell.ts'
import { endProcesses } from './process-tree.ts'
import { resolveSessionUser, type SessionUser } from './users.ts'

/** A client sends its size with the first thing it says; one that has none must not be waited for long. */
const SIZE_TIMEOUT = 500
const DEFAULT_SIZE: TerminalSize = { cols: 80, rows: 24 }

const inputsRecord = jsonRecord('inputs of the session document', {
  runAsEnabled: 'json?',
  runAsDefaultUser: 'string?',
  shellProfile: 'json?',
})
const profileRecord = jsonRecord('shellProfile', { linux: 'string?' })

/** `Standard_Stream`: the login shell of the session's user on a terminal of its own (data-plane.md 14.1). */
export class Shell implements Activity {
  readonly sessionType = SessionType.standardStream
  readonly properties = null
  readonly #context: ActivityContext
  readonly #user: Promise<SessionUser>
  readonly #profile: string
  readonly #output: GatheredOutput
  #size: TerminalSize | undefined
  #onSize: () => void = () => {}
  #pty: Pty | undefined
  #ownClient = false
  #stopped = false
  #inputFull = false

  constructor(document: SessionDocument, context: ActivityContext) {
    this.#context = context
    this.#output = new GatheredOutput(context.channel)
    const inputs = inputsRecord.read(document.inputs ?? {})
    const runAsEnabled = inputs.runAsEnabled === true || inputs.runAsEnabled === 'true'
    const runAsUser = context.task.RunAsUser?.trim() || inputs.runAsDefaultUser
    this.#profile = profileRecord.read(inputs.shellProfile ?? {}).linux ?? ''
    // Looked up, or created, while the handshake is under way.
    this.#user = resolveSessionUser({
      runAsEnabled,
      runAsUser,
      asRoot: context.asRoot,
      stateDirectory: context.stateDirectory,
    })
    // `#run` is where a failure is told; it must not count as unhandled until then.
    this.#user.catch(() => {})
  }

  start(peer: { ownClient: boolean }): void {
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
    const { asRoot, env } = this.#context
    const user = await this.#user
    const size = await this.#firstSize()
    if (this.#stopped) return
    const shell = loginShell(user, { asRoot, locale: env })
    const pty = openPty({ ...shell, ...size, owner: { uid: user.uid, gid: user.gid } })
    this.#pty = pty
    if (this.#size !== undefined) pty.resize(this.#size.cols, this.#size.rows)
    pty.onData(chunk => {
      if (!this.#output.push(chunk)) pty.pause()
    })
    pty.onDrain(() => this.#inputRoom())
    if (this.#profile !== '') pty.write(Buffer.from(`${this.#profile}\n`))
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

  /** The shell starts in a terminal of the right size: programs that ask at once get the right answer. */
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
