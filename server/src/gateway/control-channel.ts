import type { Clock } from '@sallyport/protocol/clock'
import {
  encodeChannelClosed,
  encodeSessionTask,
  encodeTaskAcknowledge,
  type SessionTask,
  type TaskComplete,
  taskCompletePayload,
} from '@sallyport/protocol/control-channel'
import type { Crypto } from '@sallyport/protocol/crypto'
import { ProtocolError } from '@sallyport/protocol/errors'
import { Liveness } from '@sallyport/protocol/liveness'
import { decodeMessage } from '@sallyport/protocol/message'
import { MessageType } from '@sallyport/protocol/message-types'
import type { Connection } from '@sallyport/protocol/transport/transport'
import type { Logger } from '../logger.ts'
import type { Task } from '../store/tasks.ts'

/** A stock agent's hand-over queue has one slot and locks up for good when it is full (data-plane.md 7.2). */
const TASK_SPACING = 50
const PROTOCOL_ERROR_CLOSE = 1002

export type ControlChannelOptions = {
  nodeId: string
  connection: Connection
  crypto: Crypto
  clock: Clock
  logger: Logger
  pingEvery: number
  pongTimeout: number
  /** What is owed to the node, oldest first. */
  loadTasks(): Promise<Task[]>
  /** A session ended at the node; stored before it is acknowledged. */
  onTaskComplete(result: TaskComplete): Promise<void>
  onClosed(reason: string): void
}

/** A node's control channel: tasks go out, results come in (data-plane.md 7). */
export class ControlChannel {
  readonly #options: ControlChannelOptions
  readonly #sent = new Set<string>()
  #closed = false
  #sending = false
  #sendAgain = false
  #lastSentAt = 0
  readonly #liveness: Liveness

  constructor(options: ControlChannelOptions) {
    this.#options = options
    const { connection } = options
    this.#liveness = new Liveness({ ...options, onDead: () => this.#lost('no answer to a ping') })
    connection.events = {
      message: data => {
        this.#liveness.seen()
        void this.#receive(data)
      },
      pong: () => this.#liveness.seen(),
      drain: () => {},
      close: (code, reason) => this.#lost(reason === '' ? `closed (${code})` : reason),
    }
  }

  close(code: number, reason: string): void {
    this.#options.connection.close(code, reason)
    this.#lost(reason)
  }

  /** Sends what is owed to the node and was not sent on this channel before. */
  async sendTasks(): Promise<void> {
    this.#sendAgain = true
    if (this.#sending) return
    this.#sending = true
    try {
      while (this.#sendAgain && !this.#closed) {
        this.#sendAgain = false
        for (const task of await this.#options.loadTasks()) await this.#send(task)
      }
    } finally {
      this.#sending = false
    }
  }

  async #send(task: Task): Promise<void> {
    if (this.#closed || this.#sent.has(task.taskId)) return
    const { clock, connection } = this.#options
    const wait = this.#lastSentAt + TASK_SPACING - clock.now()
    if (wait > 0) await new Promise<void>(resolve => clock.after(wait, resolve))
    if (this.#closed) return
    this.#sent.add(task.taskId)
    this.#lastSentAt = clock.now()
    connection.send(this.#frame(task))
  }

  #frame(task: Task): Uint8Array {
    const { crypto, clock, nodeId } = this.#options
    switch (task.kind) {
      case 'start-session':
        return encodeSessionTask(crypto, clock.now(), task.payload as SessionTask)
      case 'end-session':
        return encodeChannelClosed(crypto, clock.now(), { sessionId: task.sessionId, destinationId: nodeId })
      default:
        return task.kind satisfies never
    }
  }

  async #receive(data: Uint8Array): Promise<void> {
    const { crypto, clock, connection, logger, onTaskComplete } = this.#options
    try {
      const message = decodeMessage(crypto, data)
      // Telemetry, update results and what later agents may send: accepted and ignored (data-plane.md 3.2).
      if (message.messageType !== MessageType.agentTaskComplete) return
      const result = taskCompletePayload.decode(message.payload)
      await onTaskComplete(result)
      connection.send(encodeTaskAcknowledge(crypto, clock.now(), message.messageId, result.TaskId))
    } catch (error) {
      if (error instanceof ProtocolError) {
        logger.warn({ code: error.code, reason: error.message }, 'protocol violation')
        this.close(PROTOCOL_ERROR_CLOSE, error.message)
      } else {
        // Unacknowledged, the agent sends it again.
        logger.error({ err: error }, 'a result could not be stored')
      }
    }
  }

  #lost(reason: string): void {
    if (this.#closed) return
    this.#closed = true
    this.#liveness.stop()
    this.#options.onClosed(reason)
  }
}
