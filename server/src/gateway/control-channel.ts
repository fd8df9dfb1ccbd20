import type { Clock } from '@sallyport/protocol/clock'
import {
  decodeAgentSessions,
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
import { decodeMessage, type Message } from '@sallyport/protocol/message'
import { MessageType } from '@sallyport/protocol/message-types'
import type { Connection } from '@sallyport/protocol/transport/transport'
import type { Logger } from '../logger.ts'
import type { Task } from '../store/tasks.ts'
import { CommandChannel, type NodeCommands } from './command-channel.ts'

/** A stock agent's hand-over queue has one slot and locks up for good when it is full (data-plane.md 7.2). */
export const TASK_SPACING = 50
/** After so long tasks that could not be read from the store are tried again. */
const TASK_RETRY = 2_000
/**
 * A start that the agent has not taken up by then is sent again: what comes in the first seconds of its life it may lose
 * without a word (control-plane.md 37.2, 9), and a start that it has it drops (data-plane.md 7.2).
 */
export const START_REPEAT = 6_000
/** Results that wait to be stored before the node's socket is not read for a while. */
export const MAXIMUM_RESULTS = 16
const PROTOCOL_ERROR_CLOSE = 1002
const GATEWAY_ONLY: ReadonlySet<string> = new Set([
  MessageType.interactiveShell,
  MessageType.channelClosed,
  MessageType.agentTaskAcknowledge,
  MessageType.agentJob,
  MessageType.agentJobReplyAck,
])

export type ControlChannelOptions = {
  nodeId: string
  connection: Connection
  crypto: Crypto
  clock: Clock
  logger: Logger
  pingEvery: number
  pongTimeout: number
  commands: NodeCommands
  /** What is owed to the node, oldest first. */
  loadTasks(): Promise<Task[]>
  /** The node has read a task that it does not always answer. */
  onDelivered(task: Task): Promise<unknown>
  /** A session ended at the node; stored before it is acknowledged. */
  onTaskComplete(result: TaskComplete): Promise<void>
  /** Our own agent has told which sessions it has. */
  onSessions(sessionIds: ReadonlySet<string>): Promise<void>
  onClosed(reason: string): void
}

/** A node's control channel: tasks and jobs go out, results come in (data-plane.md 7, 8). */
export class ControlChannel {
  readonly #options: ControlChannelOptions
  readonly #commands: CommandChannel
  /** Of the tasks that are still owed, those that went out on this channel. */
  readonly #sent = new Set<string>()
  readonly #timers = new Set<() => void>()
  #closed = false
  #sending = false
  #sendAgain = false
  #lastSentAt = 0
  #pace: Promise<void> = Promise.resolve()
  #results = 0
  #stored: Promise<void> = Promise.resolve()
  #liveness: Liveness | undefined

  constructor(options: ControlChannelOptions) {
    this.#options = options
    const { nodeId, connection, crypto, clock, logger, commands } = options
    this.#commands = new CommandChannel({
      nodeId,
      connection,
      crypto,
      clock,
      logger,
      commands,
      sendPaced: frame => this.#sendPaced(frame),
      send: frame => this.#send(frame),
      violation: error => this.#violation(error),
    })
  }

  /** Begins to listen. `onClosed` may be called before it returns. */
  open(): void {
    const { connection, clock, pingEvery, pongTimeout } = this.#options
    const liveness = new Liveness({
      clock,
      connection,
      pingEvery,
      pongTimeout,
      excused: () => this.#results >= MAXIMUM_RESULTS,
      onDead: () => this.#lost('no answer to a ping'),
    })
    this.#liveness = liveness
    connection.events = {
      message: data => {
        liveness.seen()
        if (!this.#closed) this.#receive(data)
      },
      pong: () => liveness.seen(),
      drain: () => this.#commands.drained(),
      close: (code, reason) => this.#lost(reason === '' ? `closed (${code})` : reason),
    }
  }

  close(code: number, reason: string): void {
    this.#options.connection.close(code, reason)
    this.#lost(reason)
  }

  /** Sends what is owed to the node and was not sent on this channel before. Never rejects. */
  async sendTasks(): Promise<void> {
    this.#sendAgain = true
    if (this.#sending) return
    this.#sending = true
    try {
      while (this.#sendAgain && !this.#closed) {
        this.#sendAgain = false
        await this.#sendNew(await this.#options.loadTasks())
      }
    } catch (error) {
      this.#options.logger.error({ nodeId: this.#options.nodeId, err: error }, 'tasks could not be read')
      this.#later(TASK_RETRY, () => void this.sendTasks())
    } finally {
      this.#sending = false
    }
  }

  /** The node is online: commands that are owed to it go out. */
  beginCommands(): void {
    if (!this.#closed) this.#commands.begin()
  }

  /** Sends what is owed to the node of commands. Never rejects. */
  sendCommands(): Promise<void> {
    return this.#commands.deliver()
  }

  /** Tells the node that sessions are over, without a task in the store. */
  async endSessions(sessionIds: readonly string[]): Promise<void> {
    for (const sessionId of sessionIds) await this.#sendPaced(() => this.#closing(sessionId))
  }

  async #sendNew(tasks: readonly Task[]): Promise<void> {
    const owed = new Set(tasks.map(({ taskId }) => taskId))
    for (const taskId of this.#sent) if (!owed.has(taskId)) this.#sent.delete(taskId)
    for (const task of tasks) {
      if (this.#sent.has(task.taskId)) continue
      this.#sent.add(task.taskId)
      await this.#sendPaced(() => this.#frame(task))
      if (task.kind === 'end-session') this.#whenDelivered(task)
      else this.#later(START_REPEAT, () => this.#sent.delete(task.taskId) && void this.sendTasks())
    }
  }

  /** One frame after the other, whoever sends them. */
  #sendPaced(frame: () => Uint8Array): Promise<void> {
    this.#pace = this.#pace.then(async () => {
      if (this.#closed) return
      const { clock } = this.#options
      const wait = Math.min(TASK_SPACING, this.#lastSentAt + TASK_SPACING - clock.now())
      if (wait > 0) await new Promise<void>(resolve => clock.after(wait, resolve))
      if (this.#closed) return
      this.#lastSentAt = clock.now()
      this.#send(frame)
    })
    return this.#pace
  }

  #send(frame: () => Uint8Array): void {
    const { nodeId, connection, logger } = this.#options
    try {
      connection.send(frame())
    } catch (error) {
      // It must not keep back what comes after it.
      logger.error({ nodeId, err: error }, 'a task could not be sent')
    }
  }

  #frame(task: Task): Uint8Array {
    const { crypto, clock } = this.#options
    switch (task.kind) {
      case 'start-session':
        return encodeSessionTask(crypto, clock.now(), task.payload as SessionTask)
      case 'end-session':
        return this.#closing(task.sessionId)
      default:
        return task.kind satisfies never
    }
  }

  #closing(sessionId: string): Uint8Array {
    const { crypto, clock, nodeId } = this.#options
    return encodeChannelClosed(crypto, clock.now(), { sessionId, destinationId: nodeId })
  }

  /**
   * An agent that does not know a session, any more or yet, says nothing to its end (data-plane.md 7.5). Once the
   * channel has proved itself alive after it, the task is done.
   */
  #whenDelivered(task: Task): void {
    const { pingEvery, pongTimeout, onDelivered, logger } = this.#options
    this.#later(2 * pingEvery + pongTimeout, () => {
      onDelivered(task).catch((error: unknown) =>
        logger.error({ nodeId: this.#options.nodeId, err: error }, 'a task could not be deleted'),
      )
    })
  }

  #receive(data: Uint8Array): void {
    try {
      const message = decodeMessage(this.#options.crypto, data)
      if (GATEWAY_ONLY.has(message.messageType)) {
        throw new ProtocolError('unexpected-message', `an agent must not send ${message.messageType}`)
      }
      switch (message.messageType) {
        case MessageType.agentTaskComplete: {
          const result = taskCompletePayload.decode(message.payload)
          return this.#inTurn(() => this.#storeOne(message, result))
        }
        case MessageType.agentSessions: {
          const sessionIds = decodeAgentSessions(message.payload)
          this.#commands.agentIsOurs()
          return this.#inTurn(() => this.#compare(sessionIds))
        }
        case MessageType.agentJobAck:
          return this.#whileStoring(this.#commands.acknowledged(message))
        case MessageType.agentJobReply:
          return this.#whileStoring(this.#commands.replied(message))
        default:
        // Telemetry, update results and what later agents may send: accepted and ignored (data-plane.md 3.2).
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#violation(error)
    }
  }

  #violation({ code, message }: ProtocolError): void {
    this.#options.logger.warn({ nodeId: this.#options.nodeId, code, reason: message }, 'protocol violation')
    this.close(PROTOCOL_ERROR_CLOSE, message)
  }

  /** One after the other: of the two results of a failed session (data-plane.md 7.4) the first is the cause. */
  #inTurn(store: () => Promise<void>): void {
    this.#stored = this.#stored.then(store)
    this.#whileStoring(this.#stored)
  }

  #whileStoring(stored: Promise<unknown>): void {
    const { connection } = this.#options
    if (++this.#results >= MAXIMUM_RESULTS) connection.pause()
    void stored.then(() => {
      if (--this.#results === 0) connection.resume()
    })
  }

  async #storeOne(message: Message, result: TaskComplete): Promise<void> {
    const { crypto, clock, connection, logger, onTaskComplete } = this.#options
    try {
      await onTaskComplete(result)
      connection.send(encodeTaskAcknowledge(crypto, clock.now(), message.messageId, result.TaskId))
    } catch (error) {
      if (error instanceof ProtocolError) return this.#violation(error)
      // Unacknowledged, the agent sends it again.
      logger.error({ nodeId: this.#options.nodeId, err: error }, 'a result could not be stored')
    }
  }

  async #compare(sessionIds: ReadonlySet<string>): Promise<void> {
    const { nodeId, logger, onSessions } = this.#options
    try {
      await onSessions(sessionIds)
    } catch (error) {
      logger.error({ nodeId, err: error }, 'sessions could not be compared with those of the agent')
    }
  }

  #later(milliseconds: number, action: () => void): void {
    if (this.#closed) return
    const cancel = this.#options.clock.after(milliseconds, () => {
      this.#timers.delete(cancel)
      action()
    })
    this.#timers.add(cancel)
  }

  #lost(reason: string): void {
    if (this.#closed) return
    this.#closed = true
    this.#liveness?.stop()
    this.#commands.close()
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
    this.#options.onClosed(reason)
  }
}
