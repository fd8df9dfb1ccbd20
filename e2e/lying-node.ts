/** A node that says of commands what the test wants. */
import { encodeAgentSessions, encodeControlMessage } from '@sallyport/protocol/control-channel'
import { decodeMessage } from '@sallyport/protocol/message'
import { MessageType } from '@sallyport/protocol/message-types'
import {
  agentJobAckPayload,
  agentJobReplyAckPayload,
  decodeAgentJob,
  encodeAgentJobReply,
  SEND_TOPIC,
} from '@sallyport/protocol/run-command'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { newUuid } from '@sallyport/protocol/uuid'
import { vi } from 'vitest'
import { HostileNode, type RawChannel } from './hostile-peer.ts'
import type { Stack } from './stack.ts'

const WAIT = { timeout: 20_000, interval: 10 }

export class LyingNode {
  readonly node: HostileNode
  #channel: RawChannel

  static async online(stack: Stack, name: string): Promise<LyingNode> {
    const node = await HostileNode.register(stack, name)
    return new LyingNode(node, await node.goOnline())
  }

  private constructor(node: HostileNode, channel: RawChannel) {
    this.node = node
    this.#channel = channel
    this.#introduce()
  }

  get id(): string {
    return this.node.id
  }

  get closed() {
    return this.#channel.closed
  }

  async comeBack(): Promise<void> {
    this.#channel = await this.node.control(this.id, await this.node.plane.createChannel('control', this.id))
    this.#introduce()
  }

  /** Waits until it is told to run the command. */
  async told(commandId: string): Promise<void> {
    const jobs = () =>
      this.#messages(MessageType.agentJob).map(({ payload }) => decodeAgentJob(payload).jobId)
    await vi.waitUntil(() => jobs().some(jobId => jobId.includes(commandId)), WAIT)
  }

  acknowledge(jobId: string, statusCode: string, errorMessage = ''): void {
    const payload = agentJobAckPayload.encode({
      jobId,
      acknowledgedMessageId: newUuid(nodeCrypto),
      createdDate: new Date().toISOString(),
      statusCode,
      errorMessage,
    })
    this.#send(encodeControlMessage(nodeCrypto, Date.now(), MessageType.agentJobAck, payload))
  }

  /** Answers once the server has heard it. */
  async reply(jobId: string, content: string): Promise<void> {
    const messageId = newUuid(nodeCrypto)
    this.send(jobId, content, messageId)
    const heard = () =>
      this.#messages(MessageType.agentJobReplyAck).some(
        ({ payload }) => agentJobReplyAckPayload.decode(payload).acknowledgedMessageId === messageId,
      )
    await vi.waitUntil(heard, WAIT)
  }

  send(jobId: string, content: string, messageId = newUuid(nodeCrypto)): void {
    this.#send(encodeAgentJobReply(nodeCrypto, Date.now(), messageId, { jobId, topic: SEND_TOPIC, content }))
  }

  put(commandId: string, more: Record<string, unknown> = {}): Promise<unknown> {
    return this.node.plane.call('PutCommandOutput', {
      CommandId: commandId,
      InstanceId: this.id,
      PluginName: 'aws:runShellScript',
      Stream: 'stdout',
      Offset: 0,
      Content: Buffer.from('made up').toString('base64'),
      ...more,
    })
  }

  #introduce(): void {
    this.#send(encodeAgentSessions(nodeCrypto, Date.now(), []))
  }

  #send(frame: Uint8Array): void {
    this.#channel.connection.send(frame)
  }

  #messages(type: string) {
    return this.#channel.received
      .map(data => decodeMessage(nodeCrypto, data))
      .filter(({ messageType }) => messageType === type)
  }
}
