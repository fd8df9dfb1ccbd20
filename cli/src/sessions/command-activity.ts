import { SessionType } from '@sallyport/protocol/handshake'
import { PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { decodeFlag, encodeFlag } from '@sallyport/protocol/payloads'
import type { SessionSignal } from '../attach.ts'
import type { ActivityKind, AgentPeer, ClientActivity, ClientActivityContext } from './client-activity.ts'
import { CommandInput } from './command-input.ts'

type ErrorStream = {
  write(bytes: Uint8Array): boolean
  on(event: 'drain', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}

export type CommandOptions = {
  /** Where the command's standard error goes. */
  stderr?: ErrorStream
  /** The command's input is at its end from the start. */
  withoutInput?: boolean
  /** The agent takes the command on. */
  onStart?: (peer: AgentPeer) => void
}

/** `flag` for our own agent; `key` for a stock one, which has no more than these two (data-plane.md 14.3). */
const SIGNALS: Partial<Record<SessionSignal, { status: number; flag: number; key?: number }>> = {
  SIGHUP: { status: 129, flag: PayloadFlag.hangUp },
  SIGINT: { status: 130, flag: PayloadFlag.interrupt, key: 0x03 },
  SIGQUIT: { status: 131, flag: PayloadFlag.quit, key: 0x1c },
  SIGTERM: { status: 143, flag: PayloadFlag.terminate },
}
const SIGNAL_NAMES = Object.keys(SIGNALS) as SessionSignal[]
const SIGPIPE_STATUS = 141

/**
 * A command without a terminal (data-plane.md 14.3): its output and error streams are ours, our input is its own, and
 * signals are passed on.
 */
export const commandKind = (options: CommandOptions = {}): ActivityKind => ({
  takes: sessionType => sessionType === SessionType.nonInteractiveCommands,
  open: context => new CommandActivity(context, options),
})

class CommandActivity implements ClientActivity {
  readonly #context: ClientActivityContext
  readonly #stderr: ErrorStream
  readonly #withoutInput: boolean
  readonly #onStart: CommandOptions['onStart']
  readonly #input: CommandInput
  #peer: AgentPeer | undefined
  #outputFull = false
  #errorsFull = false
  #signalled = false
  #leaving = false

  constructor(context: ClientActivityContext, options: CommandOptions) {
    const { channel, terminal, onSignals } = context
    this.#context = context
    this.#stderr = options.stderr ?? process.stderr
    this.#withoutInput = options.withoutInput ?? false
    this.#onStart = options.onStart
    this.#input = new CommandInput(channel, terminal)
    terminal.onDrain(() => {
      this.#outputFull = false
      context.inputRoom()
    })
    this.#stderr.on('drain', () => {
      this.#errorsFull = false
      context.inputRoom()
    })
    this.#stderr.on('error', () => this.#leave('standard error cannot be written', SIGPIPE_STATUS))
    onSignals(SIGNAL_NAMES, signal => this.#signal(signal))
  }

  get wayOut(): string {
    return this.#context.terminal.interactive ? ' (Ctrl-C twice to give up)' : ''
  }

  start(peer: AgentPeer): void {
    this.#peer = peer
    this.#onStart?.(peer)
    if (!peer.ownAgent) this.#refuseInput()
    else if (this.#withoutInput) this.#input.end()
    else {
      const { terminal } = this.#context
      terminal.onInput(bytes => this.#input.push(bytes))
      terminal.onInputEnd(() => this.#input.end())
    }
  }

  deliver(payloadType: number, payload: Uint8Array): boolean {
    switch (payloadType) {
      case PayloadType.output:
        if (this.#outputFull) return false
        this.#outputFull = !this.#context.terminal.write(payload)
        return true
      case PayloadType.stderr:
        if (this.#errorsFull) return false
        this.#errorsFull = !this.#stderr.write(payload)
        return true
      case PayloadType.flag:
        if (decodeFlag(payload) === PayloadFlag.inputRoom) this.#input.addCredit()
        return true
      default:
        return true
    }
  }

  onWritable(): void {
    // Not before somebody listens: what is read from stdin then would be lost.
    if (this.#peer?.ownAgent) this.#input.pump()
  }

  onLink(): void {}

  stop(): void {
    this.#input.close()
  }

  /** A stock agent gives its commands no input (data-plane.md 14.3), which matters only to those who have some. */
  #refuseInput(): void {
    if (this.#withoutInput) return
    const { terminal, notice } = this.#context
    let told = false
    terminal.onInput(() => {
      terminal.pauseInput()
      if (!told)
        notice("sallyport: the agent of this node is AWS's, which gives commands no input; it was left out.")
      told = true
    })
  }

  /** Passed on once; who repeats it wants to get away. Hang-ups come in twos by themselves. */
  #signal(signal: SessionSignal): void {
    const { channel, end } = this.#context
    const known = SIGNALS[signal]
    if (known === undefined) return
    const { status, flag, key } = known
    const reason = `ended by ${signal}`
    if (this.#leaving) {
      end({ reason, exitCode: status })
      return
    }
    const again = this.#signalled && signal !== 'SIGHUP'
    this.#signalled = true
    if (this.#peer === undefined || again) this.#leave(reason, status)
    else if (this.#peer.ownAgent) channel.sendWhole(PayloadType.flag, encodeFlag(flag))
    else if (key !== undefined) channel.send(PayloadType.output, Uint8Array.of(key))
    else this.#leave(reason, status)
  }

  #leave(reason: string, exitCode: number): void {
    if (this.#leaving) return
    this.#leaving = true
    void this.#context.leave({ reason, exitCode })
  }
}
