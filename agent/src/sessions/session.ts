import { encodeControlMessage, type SessionTask, TaskStatus } from '@sallyport/protocol/control-channel'
import { ProtocolError } from '@sallyport/protocol/errors'
import {
  decodeHandshakeResponse,
  encodeHandshakeComplete,
  encodeHandshakeRequest,
  HANDSHAKE_TIMEOUT,
  limitsOf,
} from '@sallyport/protocol/handshake'
import { MessageFlag, MessageType, PayloadType } from '@sallyport/protocol/message-types'
import { openDataChannel, SessionState, sessionStatePayload } from '@sallyport/protocol/payloads'
import { SessionGoneError, SessionLink } from '@sallyport/protocol/session-link'
import { nodeClock } from '@sallyport/protocol/transport/node-clock'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import type { Connection } from '@sallyport/protocol/transport/transport'
import { newUuid } from '@sallyport/protocol/uuid'
import { AGENT_COMPATIBILITY_VERSION } from '@sallyport/protocol/versions'
import { ApiFailure } from '../api-failure.ts'
import type { AgentConfig } from '../config.ts'
import type { ControlPlane } from '../control-plane.ts'
import type { Log } from '../log.ts'
import type { TaskResult } from '../task-results.ts'
import { activityFor } from './activities.ts'
import type { Activity } from './activity.ts'

const PING_INTERVAL = 20_000
/** The session is the server's to end; the agent dials as long as it may still be wanted (DESIGN 6.10). */
const DIAL_FOR = 24 * 3600_000
/** How long a client may be away before the session ends without having delivered its last output. */
const DRAIN_FOR = 30_000
const DRAIN_POLL = { first: 5, last: 100 }
/** data-plane.md 9.1 */
const ENDED = 'Session is already terminated'

export type SessionOptions = {
  task: SessionTask
  server: ControlPlane
  config: AgentConfig
  log: Log
  onEnd: (result: TaskResult) => void
}

type State = 'connecting' | 'handshake' | 'running' | 'ending' | 'ended'

/**
 * One session at the agent: its data channel, the handshake, and then whatever its document asks for. The
 * handshake is done for every session type, since it is how our own client is recognised; a stock client
 * answers it just as it would for an encrypted shell (DESIGN 6.3).
 */
export class Session {
  readonly #options: SessionOptions
  readonly #link: SessionLink
  #state: State = 'connecting'
  #activity: Activity | undefined
  #handshakeStarted = 0
  #clientPresent = true
  #cancelTimeout: () => void = () => {}

  constructor(options: SessionOptions) {
    this.#options = options
    this.#link = new SessionLink({
      role: 'agent',
      crypto: nodeCrypto,
      clock: nodeClock,
      dial: () => this.#dial(),
      giveUpAfter: DIAL_FOR,
      pingEvery: PING_INTERVAL,
      deliver: (type, payload) => this.#deliver(type, payload),
      onWritable: () => this.#activity?.onWritable(),
      onClosed: () => void this.end(''),
      onPeer: present => {
        this.#clientPresent = present
      },
      onLink: ({ up }) => up && this.#connected(),
      onGone: reason => void this.#finish(TaskStatus.failed, reason),
    })
  }

  get #id(): string {
    return this.#options.task.SessionId
  }

  start(): void {
    this.#link.open()
  }

  /** Ends the session and everything it started; resolves when that is gone. Harmless twice. */
  async end(output: string): Promise<void> {
    await this.#finish(TaskStatus.success, output)
  }

  async #dial(): Promise<Connection> {
    const { server } = this.#options
    try {
      const token = await server.createChannel('data', this.#id)
      const connection = await server.dial('data', this.#id)
      const open = openDataChannel.encode({
        MessageSchemaVersion: '1.0',
        RequestId: newUuid(nodeCrypto),
        TokenValue: token,
        ClientInstanceId: server.registration.instanceId,
        ClientId: '',
      })
      connection.send(new TextDecoder().decode(open))
      return connection
    } catch (error) {
      if (error instanceof ApiFailure && error.message.includes(ENDED))
        throw new SessionGoneError(error.message)
      throw error
    }
  }

  #connected(): void {
    if (this.#state !== 'connecting') return
    this.#state = 'handshake'
    this.#sendState(SessionState.connected)
    const { DocumentContent } = this.#options.task
    try {
      this.#activity = activityFor(DocumentContent, {
        channel: this.#link.channel,
        task: this.#options.task,
        ...this.#options.config,
        log: (event, details) => this.#options.log(event, { sessionId: this.#id, ...details }),
        onInputRoom: () => this.#link.resume(),
        onEnd: (status, output, unheard) =>
          void (unheard ? this.#finish(status, output) : this.#complete(status, output)),
      })
    } catch (error) {
      void this.#finish(TaskStatus.failed, (error as Error).message)
      return
    }
    this.#handshakeStarted = performance.now()
    const { sessionType, properties } = this.#activity
    const request = encodeHandshakeRequest(AGENT_COMPATIBILITY_VERSION, sessionType, properties)
    this.#link.channel.sendWhole(PayloadType.handshakeRequest, request)
    this.#cancelTimeout = nodeClock.after(HANDSHAKE_TIMEOUT, () => {
      void this.#finish(
        TaskStatus.failed,
        `Handshake timed out: the client did not answer within ${HANDSHAKE_TIMEOUT / 1000} s.`,
      )
    })
  }

  #deliver(payloadType: number, payload: Uint8Array): boolean {
    if (this.#state === 'handshake') {
      // Whatever is not an answer can only come from a peer that has skipped the handshake.
      if (payloadType === PayloadType.handshakeResponse) this.#finishHandshake(payload)
      return true
    }
    return (
      this.#state !== 'running' ||
      this.#activity === undefined ||
      this.#activity.deliver(payloadType, payload)
    )
  }

  #finishHandshake(payload: Uint8Array): void {
    this.#cancelTimeout()
    try {
      const { clientVersion, terms } = decodeHandshakeResponse(payload)
      const took = performance.now() - this.#handshakeStarted
      this.#link.channel.sendWhole(PayloadType.handshakeComplete, encodeHandshakeComplete(took))
      if (terms !== undefined) this.#link.channel.agree(limitsOf(terms))
      this.#state = 'running'
      this.#activity?.start({ ownClient: terms !== undefined, clientVersion })
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      void this.#finish(TaskStatus.failed, error.message)
    }
  }

  /** What the session ran has ended by itself: its last output goes out before anybody is told. */
  async #complete(status: string, output: string): Promise<void> {
    if (this.#state === 'ending' || this.#state === 'ended') return
    this.#state = 'ending'
    await this.#drain({ patient: status === TaskStatus.success })
    // The server ends the session at this word, which has no room for a reason: a failure is told as the task's result.
    if (status === TaskStatus.success) this.#sendState(SessionState.terminating)
    await this.#finish(status, output)
  }

  /**
   * A client that is there may read as slowly as it likes: a person may have stopped at the first page. What has failed
   * waits for nobody: a client could keep it for ever by not acknowledging.
   */
  async #drain({ patient }: { patient: boolean }): Promise<void> {
    let giveUpAt = patient ? Number.POSITIVE_INFINITY : Date.now() + DRAIN_FOR
    let wait = DRAIN_POLL.first
    while (!this.#link.channel.drained && this.#state === 'ending' && Date.now() < giveUpAt) {
      await pause(wait)
      wait = Math.min(wait * 1.1, DRAIN_POLL.last)
      if (!patient) continue
      giveUpAt = this.#clientPresent ? Number.POSITIVE_INFINITY : Math.min(giveUpAt, Date.now() + DRAIN_FOR)
    }
  }

  async #finish(status: string, output: string): Promise<void> {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#cancelTimeout()
    // First, or the server's own close would look like a lost connection and be dialled again.
    this.#link.close()
    await this.#activity?.stop()
    this.#options.onEnd({ sessionId: this.#id, status, output })
  }

  #sendState(state: string): void {
    const payload = sessionStatePayload.encode({ SchemaVersion: 1, SessionState: state, SessionId: this.#id })
    const flags = MessageFlag.synFin
    this.#link.sendUnnumbered(
      encodeControlMessage(nodeCrypto, Date.now(), MessageType.agentSessionState, payload, { flags }),
    )
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds))
}
