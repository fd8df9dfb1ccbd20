import {
  answerHandshake,
  decodeHandshakeComplete,
  decodeHandshakeRequest,
  type HandshakeRequest,
  limitsOf,
  SessionType,
} from '@sallyport/protocol/handshake'
import { PayloadType } from '@sallyport/protocol/message-types'
import { type ChannelClosed, decodeExitCode, encodeFlag, openDataChannel } from '@sallyport/protocol/payloads'
import { SessionGoneError, SessionLink } from '@sallyport/protocol/session-link'
import { nodeClock } from '@sallyport/protocol/transport/node-clock'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { createDialer } from '@sallyport/protocol/transport/node-http'
import type { Connection } from '@sallyport/protocol/transport/transport'
import { newUuid } from '@sallyport/protocol/uuid'
import { CLIENT_COMPATIBILITY_VERSION } from '@sallyport/protocol/versions'
import type { RunSession, SessionEnd, SessionOptions } from '../attach.ts'
import { EXIT } from '../errors.ts'
import { inertLines } from '../inert.ts'
import type { ActivityKind, AgentPeer, ClientActivity, ClientActivityContext } from './client-activity.ts'

/** A laptop's sleep between two meetings; the server's idle timeout is usually shorter. */
const GIVE_UP_AFTER = 30 * 60_000
const PING_INTERVAL = 10_000
/** A blink of the network is not worth a line on the screen. */
const NOTICE_AFTER = 1_500
/** How long leaving may take while the server is told. */
const TERMINATE_WITHIN = 2_000
/** How long the word that it is over may take to the node. */
const FLAG_WITHIN = 500
const DRAIN_POLL = 5
/** Of a connection that broke without a word: what a person hears is that it broke. */
const WORDLESS = /^connection closed \(\d+\)$/

/**
 * Of a person who has named a session document: says what to do with one of another type. Nothing begins before the
 * type is known.
 */
export type WrongType = (sessionType: string, properties: unknown) => SessionEnd

/**
 * Runs a session until it ends, through any number of connections. A client that knows what it has asked for gives
 * that one kind, which begins at once; one that does not gives all it can do, and the agent says which it is. A type
 * that is none of these ends the session as `wrongType` says, or else as the agent does, which is told of it.
 */
export function runClientSession(kinds: readonly ActivityKind[], wrongType?: WrongType): RunSession {
  return options => new Promise(resolve => new ClientSession(kinds, wrongType, options, resolve).start())
}

class ClientSession {
  readonly #kinds: readonly ActivityKind[]
  readonly #wrongType: WrongType | undefined
  readonly #options: SessionOptions
  readonly #resolve: (end: SessionEnd) => void
  readonly #link: SessionLink
  readonly #dialStream: (url: string) => Promise<Connection>
  /** Constant for the process (data-plane.md 9.3). */
  readonly #clientId = newUuid(nodeCrypto)
  #firstDial = true
  #activity: ClientActivity | undefined
  /** Known from the handshake, and told to the activity once the agent takes input. */
  #peer: AgentPeer = { ownAgent: false, agentVersion: '', properties: undefined }
  #started = false
  /** The session is of a type that this client cannot run. */
  #refused = false
  #exitStatus: number | undefined
  #cancelNotice: () => void = () => {}
  #lostFor: string | undefined
  #up = false
  /** How this end is leaving the session. */
  #decided: SessionEnd | undefined
  #ended = false

  constructor(
    kinds: readonly ActivityKind[],
    wrongType: WrongType | undefined,
    options: SessionOptions,
    resolve: (end: SessionEnd) => void,
  ) {
    this.#kinds = kinds
    this.#wrongType = wrongType
    this.#options = options
    this.#resolve = resolve
    this.#dialStream = options.dialStream ?? createDialer({ ca: options.tls.ca, env: process.env })
    this.#link = new SessionLink({
      role: 'client',
      crypto: nodeCrypto,
      clock: nodeClock,
      dial: () => this.#dial(),
      giveUpAfter: GIVE_UP_AFTER,
      pingEvery: PING_INTERVAL,
      deliver: (type, payload) => this.#deliver(type, payload),
      onWritable: () => this.#activity?.onWritable(),
      onClosed: closed => this.#closed(closed),
      onPeer: present => this.#peerPresent(present),
      onNotice: text => options.terminal.notice(inertLines(`[${text}]`)),
      onLink: state => (state.up ? this.#linked() : this.#unlinked(state.reason)),
      onGone: reason => this.#end({ reason, exitCode: EXIT.connectionLost }),
    })
  }

  start(): void {
    const [only, ...others] = this.#kinds
    const certain = others.length === 0 && this.#wrongType === undefined
    if (only !== undefined && certain) this.#activity = only.open(this.#context())
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

  #context(): ClientActivityContext {
    const { session, terminal, onSignals } = this.#options
    const { channel } = this.#link
    return {
      sessionId: session.sessionId,
      channel,
      terminal,
      onSignals,
      inputRoom: () => this.#link.resume(),
      drained: within => this.#drained(within),
      end: end => this.#end(end),
      leave: (end, flag) => this.#leave(end, flag),
      notice: text => terminal.notice(inertLines(text)),
    }
  }

  #deliver(payloadType: number, payload: Uint8Array): boolean {
    switch (payloadType) {
      case PayloadType.handshakeRequest:
        this.#handshake(decodeHandshakeRequest(payload))
        return true
      case PayloadType.handshakeComplete: {
        const message = decodeHandshakeComplete(payload)
        if (message !== '') this.#options.terminal.notice(inertLines(message))
        this.#startActivity()
        return true
      }
      case PayloadType.exitCode:
        this.#exitStatus = statusOf(decodeExitCode(payload))
        return true
      case PayloadType.output:
        if (!this.#started) this.#beginsWithOutput()
        break
      default:
    }
    // What was refused, or is none of ours, is for nobody.
    if (this.#activity === undefined || this.#refused) return true
    return this.#activity.deliver(payloadType, payload)
  }

  #handshake(request: HandshakeRequest): void {
    const { sessionType, properties, agentVersion } = request
    const problem = this.#choose(sessionType, properties)
      ? undefined
      : `this client cannot run sessions of type ${sessionType}`
    const { payload: response, terms } = answerHandshake(request, {
      clientVersion: CLIENT_COMPATIBILITY_VERSION,
      problem,
    })
    this.#link.channel.sendWhole(PayloadType.handshakeResponse, response)
    this.#peer = { ownAgent: terms !== undefined, agentVersion, properties }
    if (this.#refused && this.#wrongType !== undefined)
      void this.#leave(this.#wrongType(sessionType, properties))
    if (terms === undefined) return
    // Our own agent reads in order: what follows the answer finds it ready, and saves a round trip.
    this.#link.channel.agree(limitsOf(terms))
    if (problem === undefined) this.#startActivity()
  }

  /** Whether this client can do that; if so its activity is there. */
  #choose(sessionType: string, properties: unknown): boolean {
    const kind = this.#kinds.find(known => known.takes(sessionType, properties))
    if (kind === undefined) this.#refused = true
    else this.#activity ??= kind.open(this.#context())
    return !this.#refused
  }

  /** A stock agent starts a shell without a handshake (data-plane.md 12.1). */
  #beginsWithOutput(): void {
    if (this.#peer.agentVersion !== '') return
    if (this.#choose(SessionType.standardStream, undefined)) this.#startActivity()
    else {
      const reason = 'The node runs a shell, which is not what this client asked for.'
      const end = this.#wrongType?.(SessionType.standardStream, undefined)
      void this.#leave(end ?? { reason, exitCode: EXIT.failure })
    }
  }

  #startActivity(): void {
    if (this.#started || this.#ended) return
    this.#started = true
    this.#activity?.start(this.#peer)
  }

  #linked(): void {
    this.#up = true
    this.#clearNotice()
    this.#activity?.onLink(true)
  }

  #unlinked(reason: string): void {
    this.#up = false
    this.#activity?.onLink(false)
    const why = WORDLESS.test(reason) ? '' : ` (${reason})`
    this.#noticeSoon(`Connection to the server lost${why}. Reconnecting`)
  }

  async #drained(within: number): Promise<boolean> {
    const giveUpAt = nodeClock.now() + within
    while (!this.#link.channel.drained && !this.#ended && nodeClock.now() < giveUpAt) await pause(DRAIN_POLL)
    return this.#link.channel.drained
  }

  async #leave(end: SessionEnd, flag?: number): Promise<void> {
    // The word to the node may make the gateway end the session first: the reason is still this one.
    this.#decided ??= end
    if (flag !== undefined && this.#up) {
      this.#link.channel.sendWhole(PayloadType.flag, encodeFlag(flag))
      await this.#drained(FLAG_WITHIN)
    }
    if (this.#ended) return
    this.#link.close()
    await Promise.race([this.#options.terminate().catch(() => {}), pause(TERMINATE_WITHIN)])
    this.#end(end)
  }

  #closed(closed: ChannelClosed): void {
    const reason = closed.Output ?? ''
    this.#end({ reason, exitCode: reason === '' ? EXIT.ok : EXIT.failure })
  }

  #peerPresent(present: boolean): void {
    if (present) this.#clearNotice()
    else this.#noticeSoon('The node has lost its connection. Waiting for it')
  }

  #noticeSoon(text: string): void {
    this.#cancelNotice()
    this.#cancelNotice = nodeClock.after(NOTICE_AFTER, () => {
      this.#lostFor = text
      this.#options.terminal.notice(inertLines(`[${text} …${this.#activity?.wayOut ?? ''}]`))
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
    this.#activity?.stop()
    this.#link.close()
    this.#options.terminal.restore()
    this.#resolve({
      ...(this.#decided ?? end),
      ...(this.#exitStatus !== undefined && { exitStatus: this.#exitStatus }),
    })
  }
}

/** As wait(2) would cut it, but for what would turn a failure into a success: 256, or -2147483648 of Windows. */
const statusOf = (exitCode: number): number => exitCode & 0xff || (exitCode === 0 ? 0 : EXIT.failure)

const pause = (milliseconds: number) => new Promise<void>(resolve => setTimeout(resolve, milliseconds))
