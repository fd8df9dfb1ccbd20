import type { Clock } from '@sallyport/protocol/clock'
import { type CommandReply, encodeAgentJobReply, jobIdOf, SEND_TOPIC } from '@sallyport/protocol/run-command'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { newUuid } from '@sallyport/protocol/uuid'
import type { Log } from '../log.ts'
import { type CommandRecords, RESULT, type ReplyFile } from './command-records.ts'
import { replyContent } from './reply-content.ts'

/** What is not acknowledged goes out again after this. */
const RESEND_AFTER = 5_000
/** Sent and not acknowledged; the others wait for their turn, and their text on the disk. */
const MAXIMUM_UNANSWERED = 32
/** Beyond it the oldest are lost that are no results. */
const MAXIMUM_PENDING = 5_000
/** The same for those that the disk did not take, whose texts stay in memory. */
const MAXIMUM_IN_MEMORY = 100

export type SendFrame = (frame: Uint8Array) => void

/** `content` where the disk did not take it. */
type Pending = ReplyFile & { content?: string; sentAt?: number }

type RepliesOptions = { records: CommandRecords; nodeId: string; clock: Clock; log: Log }

/** What the server is told of commands: on disk first, in order, and again until it has acknowledged it. */
export class Replies {
  readonly #options: RepliesOptions
  /** By message id, oldest first. */
  readonly #pending = new Map<string, Pending>()
  #unanswered = 0
  #send: SendFrame | undefined
  #pumping = false
  #cancelTimer: () => void = () => {}

  constructor(options: RepliesOptions) {
    this.#options = options
  }

  restore(replies: readonly ReplyFile[]): void {
    for (const reply of replies) this.#pending.set(reply.messageId, { ...reply })
  }

  /**
   * Resolves when it is on disk, a result durably. It goes out before the disk has synced it: a machine that dies in
   * between says next that the end is not known, and the server, which has it, pays no heed.
   */
  async add(commandId: string, file: string, content: string): Promise<void> {
    const { records, log } = this.#options
    const messageId = newUuid(nodeCrypto)
    const reply: Pending = { commandId, file, messageId }
    try {
      await records.writeReply(commandId, file, { messageId, content })
    } catch (error) {
      log('cannot keep a reply', { commandId, error: (error as Error).message })
      reply.content = content
    }
    const mayGo = this.#unanswered === this.#pending.size && this.#unanswered < MAXIMUM_UNANSWERED
    // Unless `repeat` has found it on the disk already.
    if (!this.#pending.has(messageId)) {
      this.#pending.set(messageId, reply)
      if (mayGo) this.#transmit(reply, content)
      this.#bound()
    }
    if (file !== RESULT || reply.content !== undefined) return
    await records.syncReply(commandId, file).catch((error: Error) => {
      log('cannot sync a result', { commandId, error: error.message })
    })
  }

  /** Says the result of a command once more, if it has one: the server seems not to know it. */
  async repeat(commandId: string): Promise<void> {
    if (this.#of(commandId).length > 0) return
    const reply = await this.#options.records.readReply(commandId, RESULT)
    // Who asks twice in the meantime gets it once.
    if (reply === undefined || this.#pending.has(reply.messageId)) return
    this.#pending.set(reply.messageId, { commandId, file: RESULT, messageId: reply.messageId })
    await this.#pump()
  }

  /** Of a job that names no command of this node: there is nothing to keep. */
  sayOnce(jobId: string, said: CommandReply): void {
    const now = this.#options.clock.now()
    const content = replyContent(said, now, [])
    this.#send?.(
      encodeAgentJobReply(nodeCrypto, now, newUuid(nodeCrypto), { jobId, topic: SEND_TOPIC, content }),
    )
  }

  acknowledged(messageId: string): void {
    const reply = this.#pending.get(messageId)
    if (reply === undefined) return
    this.#drop(reply)
    this.#options.records.markAcknowledged(reply.commandId, reply.file).catch((error: Error) => {
      this.#options.log('cannot note an acknowledgement', {
        commandId: reply.commandId,
        error: error.message,
      })
    })
    void this.#pump()
  }

  /** Its directory goes away. */
  forget(commandId: string): void {
    for (const reply of this.#of(commandId)) {
      this.#drop(reply)
      this.#options.log('a reply is given up: the server has not taken it in time', { commandId })
    }
  }

  connected(send: SendFrame): void {
    this.disconnected()
    this.#send = send
    void this.#pump()
    this.#tick()
  }

  disconnected(): void {
    this.#send = undefined
    this.#cancelTimer()
    this.#unanswered = 0
    for (const reply of this.#pending.values()) delete reply.sentAt
  }

  #tick(): void {
    this.#cancelTimer = this.#options.clock.after(RESEND_AFTER, () => {
      const late = this.#options.clock.monotonic() - RESEND_AFTER
      for (const reply of this.#pending.values()) {
        if (reply.sentAt === undefined || reply.sentAt > late) continue
        delete reply.sentAt
        this.#unanswered--
      }
      void this.#pump()
      this.#tick()
    })
  }

  /** Sends from the disk, one after the other. */
  async #pump(): Promise<void> {
    if (this.#pumping) return
    this.#pumping = true
    try {
      for (;;) {
        const reply = this.#next()
        if (reply === undefined) return
        const content = reply.content ?? (await this.#read(reply))
        if (content === undefined) this.#drop(reply)
        else if (this.#pending.has(reply.messageId)) this.#transmit(reply, content)
      }
    } finally {
      this.#pumping = false
    }
  }

  #next(): Pending | undefined {
    if (this.#send === undefined || this.#unanswered >= MAXIMUM_UNANSWERED) return undefined
    for (const reply of this.#pending.values()) if (reply.sentAt === undefined) return reply
    return undefined
  }

  async #read({ commandId, file }: Pending): Promise<string | undefined> {
    try {
      return (await this.#options.records.readReply(commandId, file))?.content
    } catch (error) {
      this.#options.log('cannot read a reply', { commandId, error: (error as Error).message })
      return undefined
    }
  }

  #transmit(reply: Pending, content: string): void {
    if (this.#send === undefined || reply.sentAt !== undefined) return
    const { nodeId, clock } = this.#options
    reply.sentAt = clock.monotonic()
    this.#unanswered++
    const jobId = jobIdOf(reply.commandId, nodeId)
    this.#send(
      encodeAgentJobReply(nodeCrypto, clock.now(), reply.messageId, { jobId, topic: SEND_TOPIC, content }),
    )
  }

  #drop(reply: Pending): void {
    if (!this.#pending.delete(reply.messageId)) return
    if (reply.sentAt !== undefined) this.#unanswered--
  }

  #of(commandId: string): Pending[] {
    return [...this.#pending.values()].filter(reply => reply.commandId === commandId)
  }

  #bound(): void {
    if (this.#pending.size <= MAXIMUM_IN_MEMORY) return
    const all = [...this.#pending.values()]
    const inMemory = all.filter(reply => reply.content !== undefined)
    const tooMany = inMemory.length > MAXIMUM_IN_MEMORY ? inMemory : all.length > MAXIMUM_PENDING ? all : []
    const oldest = tooMany.find(reply => reply.file !== RESULT)
    if (oldest === undefined) return
    this.#options.log('too many replies wait; one is lost', { commandId: oldest.commandId })
    this.acknowledged(oldest.messageId)
  }
}
