import {
  encodeControlMessage,
  TASK_COMPLETE_TOPIC,
  taskCompletePayload,
} from '@sallyport/protocol/control-channel'
import { MessageType } from '@sallyport/protocol/message-types'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { newUuid } from '@sallyport/protocol/uuid'

/** Results that no server has acknowledged; more sessions cannot have ended unheard in any sane outage. */
const MAXIMUM_PENDING = 1000

export type TaskResult = { sessionId: string; status: string; output: string }

/**
 * How sessions ended, kept until the server acknowledges it (data-plane.md 7.4). A stock agent gives up after
 * three seconds; here a result waits for the next control channel.
 */
export class TaskResults {
  readonly #instanceId: string
  readonly #pending = new Map<string, { result: TaskResult; transmissions: number }>()

  constructor(instanceId: string) {
    this.#instanceId = instanceId
  }

  get size(): number {
    return this.#pending.size
  }

  get sessionIds(): string[] {
    return [...this.#pending.values()].map(({ result }) => result.sessionId)
  }

  add(result: TaskResult): void {
    const [oldest] = this.#pending.keys()
    if (this.#pending.size >= MAXIMUM_PENDING && oldest !== undefined) this.#pending.delete(oldest)
    this.#pending.set(newUuid(nodeCrypto), { result, transmissions: 0 })
  }

  acknowledged(messageId: string): void {
    this.#pending.delete(messageId)
  }

  /** Frames of all that is unacknowledged; each call counts as another transmission of each. */
  frames(now: number): Uint8Array[] {
    return [...this.#pending].map(([messageId, pending]) => {
      const { result } = pending
      const payload = taskCompletePayload.encode({
        SchemaVersion: 1,
        TaskId: result.sessionId,
        Topic: TASK_COMPLETE_TOPIC,
        FinalTaskStatus: result.status,
        IsRoutingFailure: false,
        AwsAccountId: '',
        InstanceId: this.#instanceId,
        Output: result.output,
        S3Bucket: '',
        S3UrlSuffix: '',
        CwlGroup: '',
        CwlStream: '',
        RetryNumber: ++pending.transmissions,
      })
      return encodeControlMessage(nodeCrypto, now, MessageType.agentTaskComplete, payload, { messageId })
    })
  }
}
