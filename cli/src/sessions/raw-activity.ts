import { SessionType } from '@sallyport/protocol/handshake'
import { PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { encodeFlag } from '@sallyport/protocol/payloads'
import { EXIT } from '../errors.ts'
import type { ActivityKind, AgentPeer, ClientActivity, ClientActivityContext } from './client-activity.ts'
import { forwardsPorts } from './port-properties.ts'

/** How long a stock agent may take to acknowledge the last input before the session is ended without that, ms. */
const DRAIN_WITHIN = 30_000

/** One connection, whose bytes are those of standard input and output (data-plane.md 15.2): what ssh(1) talks through. */
export const rawKind: ActivityKind = {
  takes: (sessionType, properties) => sessionType === SessionType.port && !forwardsPorts(properties),
  open: context => new RawActivity(context),
}

class RawActivity implements ClientActivity {
  readonly wayOut = ''
  readonly #context: ClientActivityContext
  #full = false
  #over = false

  constructor(context: ClientActivityContext) {
    this.#context = context
  }

  start({ ownAgent }: AgentPeer): void {
    const { terminal, channel } = this.#context
    terminal.onDrain(() => this.#outputRoom())
    terminal.onInput(bytes => {
      if (!this.#over && !channel.send(PayloadType.output, bytes)) terminal.pauseInput()
    })
    terminal.onInputEnd(() => void this.#inputEnded(ownAgent))
  }

  deliver(payloadType: number, payload: Uint8Array): boolean {
    if (payloadType !== PayloadType.output) return true
    if (this.#full) return false
    this.#full = !this.#context.terminal.write(payload)
    return true
  }

  onWritable(): void {
    this.#context.terminal.resumeInput()
  }

  onLink(): void {}

  stop(): void {
    this.#over = true
  }

  #outputRoom(): void {
    if (!this.#full) return
    this.#full = false
    this.#context.inputRoom()
  }

  /** A stock agent knows no end of input: what it was sent is its last, and the session over (data-plane.md 15.2). */
  async #inputEnded(ownAgent: boolean): Promise<void> {
    if (this.#over) return
    const { channel, drained, leave } = this.#context
    if (ownAgent) channel.sendWhole(PayloadType.flag, encodeFlag(PayloadFlag.endOfInput))
    else {
      await drained(DRAIN_WITHIN)
      await leave({ reason: '', exitCode: EXIT.ok })
    }
  }
}
