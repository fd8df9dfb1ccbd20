import { SessionType } from '@sallyport/protocol/handshake'
import { PayloadType } from '@sallyport/protocol/message-types'
import { encodeSize } from '@sallyport/protocol/payloads'
import { nodeClock } from '@sallyport/protocol/transport/node-clock'
import { EXIT } from '../errors.ts'
import { ESCAPE_HELP, EscapeFilter } from '../terminal/escape.ts'
import type { ActivityKind, ClientActivity, ClientActivityContext } from './client-activity.ts'
import { InputEnd } from './input-end.ts'

const SHELL_TYPES: readonly string[] = [SessionType.standardStream, SessionType.interactiveCommands]

/** A shell, or one command, on a terminal of the node's. */
export const shellKind: ActivityKind = {
  takes: sessionType => SHELL_TYPES.includes(sessionType),
  open: context => new ShellActivity(context),
}

class ShellActivity implements ClientActivity {
  readonly #context: ClientActivityContext
  readonly #escape = new EscapeFilter()
  readonly #inputEnd: InputEnd
  /** The agent takes input: the handshake is done, or there is output without one. */
  #ready = false
  /** Typed before that. */
  #early: Uint8Array[] = []
  #outputFull = false
  #up = true
  #sizeDue = false
  #ended = false

  constructor(context: ClientActivityContext) {
    this.#context = context
    this.#inputEnd = new InputEnd({ clock: nodeClock, send: bytes => this.#send(bytes) })
    const { terminal } = context
    terminal.enterRaw()
    terminal.onSize(() => this.#sendSize())
    terminal.onDrain(() => this.#outputRoom())
    // From the start, so that `~.` helps where nobody answers.
    terminal.onInput(bytes => this.#input(bytes))
    terminal.onInputEnd(() => this.#inputEnd.begin())
  }

  get wayOut(): string {
    return this.#context.terminal.interactive ? ' (Enter ~. to give up)' : ''
  }

  start(): void {
    this.#ready = true
    this.#sendSize()
    for (const bytes of this.#early.splice(0)) this.#send(bytes)
    this.#context.terminal.resumeInput()
    this.#inputEnd.onRoom()
  }

  deliver(payloadType: number, payload: Uint8Array): boolean {
    if (payloadType !== PayloadType.output && payloadType !== PayloadType.stderr) return true
    if (this.#outputFull) return false
    this.#inputEnd.onOutput()
    this.#outputFull = !this.#context.terminal.write(payload)
    return true
  }

  onWritable(): void {
    this.#context.terminal.resumeInput()
    this.#inputEnd.onRoom()
  }

  onLink(up: boolean): void {
    this.#up = up
    if (up && this.#sizeDue) this.#sendSize()
  }

  stop(): void {
    this.#ended = true
    this.#inputEnd.stop()
  }

  #outputRoom(): void {
    if (!this.#outputFull) return
    this.#outputFull = false
    this.#context.inputRoom()
  }

  /** While there is no connection only the last size counts: dragging a window makes hundreds. */
  #sendSize(): void {
    if (!this.#ready || this.#ended) return
    const { channel, terminal } = this.#context
    this.#sizeDue = !this.#up
    if (this.#up) channel.sendWhole(PayloadType.size, encodeSize(terminal.size()))
  }

  #input(bytes: Uint8Array): void {
    const { terminal, leave } = this.#context
    if (!terminal.interactive) {
      this.#send(bytes)
      return
    }
    const { send, action } = this.#escape.feed(bytes)
    if (send.length > 0) this.#send(send)
    if (action === 'help') terminal.notice(ESCAPE_HELP)
    else if (action === 'suspend') terminal.suspend()
    // The user wants out, whatever the network does; the server is told if it can be.
    else if (action === 'disconnect') void leave({ reason: 'Ended by ~.', exitCode: EXIT.connectionLost })
  }

  /** False: there is no room for more at the moment. */
  #send(bytes: Uint8Array): boolean {
    if (this.#ended) return false
    const { channel, terminal } = this.#context
    if (!this.#ready) {
      this.#early.push(bytes)
      // A person's keys are few; a pipe waits.
      if (!terminal.interactive) terminal.pauseInput()
      return false
    }
    const room = channel.send(PayloadType.output, bytes)
    if (!room) terminal.pauseInput()
    return room
  }
}
