import {
  answerHandshake,
  decodeHandshakeComplete,
  decodeHandshakeRequest,
  limitsOf,
  SessionType,
} from '@sallyport/protocol/handshake'
import { PayloadType } from '@sallyport/protocol/message-types'
import { type ChannelClosed, decodeExitCode, encodeSize, openDataChannel } from '@sallyport/protocol/payloads'
import { SessionGoneError, SessionLink } from '@sallyport/protocol/session-link'
import { nodeClock } from '@sallyport/protocol/transport/node-clock'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { createDialer } from '@sallyport/protocol/transport/node-http'
import type { Connection } from '@sallyport/protocol/transport/transport'
import { newUuid } from '@sallyport/protocol/uuid'
import { CLIENT_COMPATIBILITY_VERSION } from '@sallyport/protocol/versions'
import type { SessionEnd, SessionOptions } from '../attach.ts'
import { EXIT } from '../errors.ts'
import { inertLines } from '../inert.ts'
import { ESCAPE_HELP, EscapeFilter } from '../terminal/escape.ts'
import { InputEnd } from './input-end.ts'

/** A laptop's sleep between two meetings; the server's idle timeout is usually shorter. */
const GIVE_UP_AFTER = 30 * 60_000
const PING_INTERVAL = 10_000
/** A blink of the network is not worth a line on the screen. */
const NOTICE_AFTER = 1_500
/** How long leaving may take while the server is told. */
const TERMINATE_WITHIN = 2_000

/** Runs a shell session on a terminal until it ends, through any number of connections. */
export function runShellSession(options: SessionOptions): Promise<SessionEnd> {
  return new Promise(resolve => new ShellSession(options, resolve).start())
}

class ShellSession {
  readonly #options: SessionOptions
  readonly #resolve: (end: SessionEnd) => void
  readonly #link: SessionLink
  readonly #dialStream: (url: string) => Promise<Connection>
  readonly #escape = new EscapeFilter()
  readonly #inputEnd: InputEnd
  /** Constant for the process (data-plane.md 9.3). */
  readonly #clientId = newUuid(nodeCrypto)
  #firstDial = true
  /** The agent takes input: the handshake is done, or there is output without one. */
  #ready = false
  /** Typed before that. */
  #early: Uint8Array[] = []
  #outputFull = false
  #up = false
  #sizeDue = false
  #exitStatus: number | undefined
  #cancelNotice: () => void = () => {}
  #lostFor: string | undefined
  #ended = false

  constructor(options: SessionOptions, resolve: (end: SessionEnd) => void) {
    this.#options = options
    this.#resolve = resolve
    this.#dialStream = createDialer({ ca: options.tls.ca, env: process.env })
    const { terminal } = options
    this.#inputEnd = new InputEnd({ clock: nodeClock, send: bytes => this.#send(bytes) })
    this.#link = new SessionLink({
      role: 'client',
      crypto: nodeCrypto,
      clock: nodeClock,
      dial: () => this.#dial(),
      giveUpAfter: GIVE_UP_AFTER,
      pingEvery: PING_INTERVAL,
      deliver: (type, payload) => this.#deliver(type, payload),
      onWritable: () => {
        terminal.resumeInput()
        this.#inputEnd.onRoom()
      },
      onClosed: closed => this.#closed(closed),
      onPeer: present => this.#peer(present),
      onLink: state => (state.up ? this.#linked() : this.#unlinked(state.reason)),
      onGone: reason => this.#end({ reason, exitCode: EXIT.connectionLost }),
    })
  }

  start(): void {
    const { terminal } = this.#options
    terminal.enterRaw()
    terminal.onSize(() => this.#sendSize())
    terminal.onDrain(() => this.#outputRoom())
    // From the start, so that `~.` helps where nobody answers.
    terminal.onInput(bytes => this.#input(bytes))
    terminal.onInputEnd(() => this.#inputEnd.begin())
    this.#link.open()
  }

  async #dial(): Promise<Connection> {
    const { session, resume } = this.#options
    const first = this.#firstDial
    // The token of StartSession is good until the session is attached; after that only a new one is.
    const token = first ? session.tokenValue : (await resume())?.tokenValue
    if (token === undefined)
      throw new SessionGoneError(
        'The session is over: it timed out or was terminated while the connection was lost.',
      )
    const connection = await this.#dialStream(session.streamUrl)
    this.#firstDial = false
    const open = openDataChannel.encode({
      MessageSchemaVersion: '1.0',
      RequestId: newUuid(nodeCrypto),
      TokenValue: token,
      ClientId: this.#clientId,
      ClientVersion: CLIENT_COMPATIBILITY_VERSION,
    })
    connection.send(new TextDecoder().decode(open))
    return connection
  }

  #deliver(payloadType: number, payload: Uint8Array): boolean {
    switch (payloadType) {
      case PayloadType.handshakeRequest:
        this.#handshake(payload)
        return true
      case PayloadType.handshakeComplete: {
        const message = decodeHandshakeComplete(payload)
        if (message !== '') this.#options.terminal.notice(inertLines(message))
        this.#becomeReady()
        return true
      }
      case PayloadType.exitCode:
        this.#exitStatus = decodeExitCode(payload)
        return true
      case PayloadType.output:
      case PayloadType.stderr:
        return this.#output(payload)
      default:
        return true
    }
  }

  #handshake(payload: Uint8Array): void {
    const request = decodeHandshakeRequest(payload)
    const known =
      request.sessionType === SessionType.standardStream ||
      request.sessionType === SessionType.interactiveCommands
    const problem = known ? undefined : `this client cannot run sessions of type ${request.sessionType}`
    const { payload: response, terms } = answerHandshake(request, {
      clientVersion: CLIENT_COMPATIBILITY_VERSION,
      problem,
    })
    this.#link.channel.sendWhole(PayloadType.handshakeResponse, response)
    if (terms === undefined) return
    // Our own agent reads in order: what follows the answer finds it ready, and saves a round trip.
    this.#link.channel.agree(limitsOf(terms))
    this.#becomeReady()
  }

  #output(payload: Uint8Array): boolean {
    // A stock agent starts a shell without a handshake (data-plane.md 12.1).
    this.#becomeReady()
    if (this.#outputFull) return false
    this.#inputEnd.onOutput()
    this.#outputFull = !this.#options.terminal.write(payload)
    return true
  }

  #outputRoom(): void {
    if (!this.#outputFull) return
    this.#outputFull = false
    this.#link.channel.resume()
    this.#link.flushSoon()
  }

  #becomeReady(): void {
    if (this.#ready) return
    this.#ready = true
    this.#sendSize()
    for (const bytes of this.#early.splice(0)) this.#send(bytes)
    this.#options.terminal.resumeInput()
    this.#inputEnd.onRoom()
  }

  #linked(): void {
    this.#up = true
    this.#clearNotice()
    if (this.#sizeDue) this.#sendSize()
  }

  #unlinked(reason: string): void {
    this.#up = false
    this.#noticeSoon(`Connection lost (${reason}). Reconnecting`)
  }

  /** While there is no connection only the last size counts: dragging a window makes hundreds. */
  #sendSize(): void {
    if (!this.#ready || this.#ended) return
    this.#sizeDue = !this.#up
    if (this.#up) this.#link.channel.sendWhole(PayloadType.size, encodeSize(this.#options.terminal.size()))
  }

  #input(bytes: Uint8Array): void {
    const { terminal } = this.#options
    if (!terminal.interactive) {
      this.#send(bytes)
      return
    }
    const { send, action } = this.#escape.feed(bytes)
    if (send.length > 0) this.#send(send)
    if (action === 'help') terminal.notice(ESCAPE_HELP)
    else if (action === 'suspend') terminal.suspend()
    else if (action === 'disconnect') void this.#disconnect()
  }

  /** False: there is no room for more at the moment. */
  #send(bytes: Uint8Array): boolean {
    if (this.#ended) return false
    const { terminal } = this.#options
    if (!this.#ready) {
      this.#early.push(bytes)
      // A person's keys are few; a pipe waits.
      if (!terminal.interactive) terminal.pauseInput()
      return false
    }
    const room = this.#link.channel.send(PayloadType.output, bytes)
    if (!room) terminal.pauseInput()
    return room
  }

  /** `~.`: the user wants out, whatever the network does; the server is told if it can be. */
  async #disconnect(): Promise<void> {
    this.#link.close()
    await Promise.race([
      this.#options.terminate().catch(() => {}),
      new Promise(resolve => setTimeout(resolve, TERMINATE_WITHIN)),
    ])
    this.#end({ reason: 'Ended by ~.', exitCode: EXIT.connectionLost })
  }

  #closed(closed: ChannelClosed): void {
    const reason = closed.Output ?? ''
    this.#end({ reason, exitCode: reason === '' ? EXIT.ok : EXIT.failure })
  }

  #peer(present: boolean): void {
    if (present) this.#clearNotice()
    else this.#noticeSoon('The node has lost its connection. Waiting for it')
  }

  #noticeSoon(text: string): void {
    this.#cancelNotice()
    this.#cancelNotice = nodeClock.after(NOTICE_AFTER, () => {
      this.#lostFor = text
      const wayOut = this.#options.terminal.interactive ? ' (Enter ~. to give up)' : ''
      this.#options.terminal.notice(`[${text} …${wayOut}]`)
    })
  }

  #clearNotice(): void {
    this.#cancelNotice()
    if (this.#lostFor !== undefined) this.#options.terminal.notice('[Connected again.]')
    this.#lostFor = undefined
  }

  #end(end: SessionEnd): void {
    if (this.#ended) return
    this.#ended = true
    this.#cancelNotice()
    this.#inputEnd.stop()
    this.#link.close()
    this.#options.terminal.restore()
    this.#resolve({ ...end, ...(this.#exitStatus !== undefined && { exitStatus: this.#exitStatus }) })
  }
}
