/** A node whose agent answers sessions as the test wants. */
import {
  decodeSessionTask,
  encodeControlMessage,
  TASK_COMPLETE_TOPIC,
  taskCompletePayload,
} from '@sallyport/protocol/control-channel'
import { DataChannel } from '@sallyport/protocol/data-channel'
import { decodeHandshakeResponse, encodeHandshakeRequest, limitsOf } from '@sallyport/protocol/handshake'
import { decodeMessage } from '@sallyport/protocol/message'
import { MessageFlag, MessageType, PayloadType } from '@sallyport/protocol/message-types'
import { openDataChannel, SessionState, sessionStatePayload } from '@sallyport/protocol/payloads'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import type { Connection } from '@sallyport/protocol/transport/transport'
import { newUuid } from '@sallyport/protocol/uuid'
import { vi } from 'vitest'
import { HostileNode, type RawChannel } from './hostile-peer.ts'
import type { Stack } from './stack.ts'

const WAIT = { timeout: 20_000, interval: 5 }

export class HostileAgent {
  readonly node: HostileNode
  readonly #control: RawChannel
  #served = 0

  static async online(stack: Stack, name: string): Promise<HostileAgent> {
    const node = await HostileNode.register(stack, name)
    return new HostileAgent(node, await node.goOnline())
  }

  private constructor(node: HostileNode, control: RawChannel) {
    this.node = node
    this.#control = control
  }

  /** Takes the next session, and opens its data channel. */
  async serve(): Promise<AgentEnd> {
    const sessionId = await this.#nextTask()
    const token = await this.node.plane.createChannel('data', sessionId)
    const connection = await this.node.plane.dial('data', sessionId)
    const opening = openDataChannel.encode({
      MessageSchemaVersion: '1.0',
      RequestId: newUuid(nodeCrypto),
      TokenValue: token,
      ClientInstanceId: this.node.id,
      ClientId: '',
    })
    connection.send(Buffer.from(opening).toString())
    return new AgentEnd(sessionId, connection)
  }

  /** Says that a session failed, and why. */
  fail(sessionId: string, output: string): void {
    const payload = taskCompletePayload.encode({
      SchemaVersion: 1,
      TaskId: sessionId,
      Topic: TASK_COMPLETE_TOPIC,
      FinalTaskStatus: 'Failed',
      Output: output,
    })
    this.#control.connection.send(
      encodeControlMessage(nodeCrypto, Date.now(), MessageType.agentTaskComplete, payload),
    )
  }

  async #nextTask(): Promise<string> {
    const next = () => {
      const tasks = this.#control.received
        .map(data => decodeMessage(nodeCrypto, data))
        .filter(({ messageType }) => messageType === MessageType.interactiveShell)
      // A task may come again until it is done.
      return [...new Set(tasks.map(({ payload }) => decodeSessionTask(payload).SessionId))][this.#served]
    }
    const sessionId = await vi.waitUntil(next, WAIT)
    this.#served++
    return sessionId
  }
}

type Handshake = { properties?: unknown; terms?: { payload: number; window: number }; request?: string }

/** The agent's end of one session. */
export class AgentEnd {
  readonly sessionId: string
  readonly channel: DataChannel
  /** What the client sent, by payload type. */
  readonly received: Array<{ type: number; payload: Uint8Array }> = []
  readonly #connection: Connection

  constructor(sessionId: string, connection: Connection) {
    this.sessionId = sessionId
    this.#connection = connection
    this.channel = new DataChannel({
      role: 'agent',
      crypto: nodeCrypto,
      now: Date.now,
      transmit: frame => connection.send(frame),
      deliver: (type, payload) => this.received.push({ type, payload: Uint8Array.from(payload) }) > 0,
    })
    connection.events = {
      message: data => {
        this.channel.receive(data)
        this.channel.flush()
      },
      drain: () => {},
      pong: () => {},
      close: () => {},
    }
    this.#state(SessionState.connected)
    this.channel.connected()
  }

  /** Asks for the handshake and waits for the answer, with which both speak `Sallyport/1`. */
  async handshake(sessionType: string, { properties, terms, request }: Handshake = {}): Promise<void> {
    let text = request ?? Buffer.from(encodeHandshakeRequest('3.3.0.0', sessionType, properties)).toString()
    if (terms !== undefined) {
      text = text
        .replace(/"MaximumPayload":\d+/, `"MaximumPayload":${terms.payload}`)
        .replace(/"Window":\d+/, `"Window":${terms.window}`)
    }
    this.channel.sendWhole(PayloadType.handshakeRequest, Buffer.from(text))
    const answer = await vi.waitUntil(() => this.find(PayloadType.handshakeResponse), WAIT)
    const agreed = decodeHandshakeResponse(answer).terms
    if (agreed !== undefined) this.channel.agree(limitsOf(agreed))
    this.complete('')
  }

  complete(customerMessage: string): void {
    const payload = { HandshakeTimeToComplete: 1, CustomerMessage: customerMessage }
    this.channel.sendWhole(PayloadType.handshakeComplete, Buffer.from(JSON.stringify(payload)))
  }

  find(type: number): Uint8Array | undefined {
    return this.received.find(each => each.type === type)?.payload
  }

  /** Says that what ran is over, once all has arrived. */
  async over(): Promise<void> {
    await vi.waitUntil(() => this.channel.drained, WAIT)
    this.#state(SessionState.terminating)
  }

  leave(): void {
    this.#connection.terminate()
  }

  #state(state: string): void {
    const payload = sessionStatePayload.encode({
      SchemaVersion: 1,
      SessionState: state,
      SessionId: this.sessionId,
    })
    const flags = MessageFlag.synFin
    const type = MessageType.agentSessionState
    this.#connection.send(encodeControlMessage(nodeCrypto, Date.now(), type, payload, { flags }))
  }
}
