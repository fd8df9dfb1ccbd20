import { randomInt } from 'node:crypto'
import type { Clock } from '@sallyport/protocol/clock'
import { type CommandReply, JobAckCode } from '@sallyport/protocol/run-command'
import type { Bus } from '../bus/bus.ts'
import type { Logger } from '../logger.ts'
import { type Command, toCommand } from '../store/commands.ts'
import type { Scope } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import { Announcements } from './announcements.ts'
import type { Outcome } from './batch.ts'
import { JobContents } from './job-contents.ts'
import { Loop } from './loop.ts'
import { type CommandTarget, type NewCommand, rowsOf } from './new-command.ts'
import { isNotified, type Notification } from './notifications.ts'
import { type JobName, type OwedJob, OwedJobs } from './owed-jobs.ts'
import { isTemporary } from './refusal.ts'
import { removeOld } from './removal.ts'

export type { CommandTarget, NewCommand } from './new-command.ts'
export type { JobName, OwedJob } from './owed-jobs.ts'

/** Timers take at most 24.8 days; nothing is lost by looking more often. */
const LONGEST_SLEEP_MS = 3_600_000
const RETRY_MS = 1_000
const REMOVAL_INTERVAL_MS = 3_600_000
/** How often nodes are told again of what they are owed: what the bus says once may be lost. */
export const REMINDER_INTERVAL_MS = 30_000

const evenly = () => randomInt(1_001) / 1_000

export type CommandsOptions = {
  store: Store
  bus: Bus
  scope: Scope
  clock: Clock
  logger: Logger
  /** From 0 to 1, for pauses. */
  random?: () => number
  /** After a command was removed, which is 30 days old by then. */
  onRemoved?: (commandId: string) => void | Promise<void>
}

/**
 * What becomes of commands (control-plane.md 21): the API sends and cancels them, the gateway tells what nodes say.
 * Everything that was promised is in the store first; what is in memory is made of that again (DESIGN 6.9).
 */
export class Commands {
  readonly #options: CommandsOptions
  readonly #contents: JobContents
  readonly #owed: OwedJobs
  readonly #loop: Loop
  readonly #announcements: Announcements
  #alarm: { at: number; cancel: () => void } | undefined
  #cancelRemoval: (() => void) | undefined
  #cancelReminder: (() => void) | undefined
  /** The removal of what an interrupted `send` left. */
  #orphans: Promise<void> = Promise.resolve()
  #closed = false

  constructor(options: CommandsOptions) {
    this.#options = options
    const { store, scope } = options
    this.#contents = new JobContents(store, scope)
    this.#owed = new OwedJobs({ ...options, contents: this.#contents })
    this.#announcements = new Announcements(options)
    const onStored = (outcome: Outcome) => this.#onStored(outcome)
    this.#loop = new Loop({ ...options, contents: this.#contents, onStored })
  }

  /** Takes up what a former life left: deadlines, and windows that were not filled to the end. */
  async start(): Promise<void> {
    const { store, scope } = this.#options
    for (const commandId of await store.commandChanges.unfinished(scope)) {
      this.#loop.see({ kind: 'resume', commandId })
    }
    await this.#endDeparted()
    await this.#awaitNext()
    this.#removeLater()
    this.#remindLater()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#alarm?.cancel()
    this.#cancelRemoval?.()
    this.#cancelReminder?.()
    await this.#loop.close()
    this.#announcements.close()
  }

  /**
   * Stores a command and lets its first invocations go. The answer is the command as it was made, Pending as in AWS's
   * answers, unless there is nobody to send it to. Rejects with StoreError, and with RangeError for limits that are none.
   */
  async send(command: NewCommand, targets: readonly CommandTarget[]): Promise<Command> {
    const { store, scope, clock } = this.#options
    const rows = rowsOf(scope, command, targets, clock.now())
    await store.commandChanges.insert(rows.command, rows.invocations)
    const { commandId, status, settings } = rows.command
    if (isNotified(settings, 'Command', status)) this.#notify([{ commandId, status }])
    const waiting = rows.invocations.filter(invocation => invocation.deadline !== null)
    if (waiting[0]?.deadline) this.#awaitDeadline(waiting[0].deadline)
    this.#announcements.commands([commandId])
    this.#announcements.nodes(waiting.filter(({ owed }) => owed !== null).map(({ nodeId }) => nodeId))
    void this.#endDeparted(commandId)
    const made = toCommand(rows.command)
    return made.endedAt === null ? { ...made, status: 'Pending', details: 'Pending' } : made
  }

  /** Of all its nodes unless said. Those that do not have it yet are Cancelled when it resolves. */
  cancel(commandId: string, nodeIds?: readonly string[]): Promise<void> {
    return this.#loop.ask({ kind: 'cancel', commandId, nodeIds })
  }

  /** What the node is to be told now, oldest commands first, at most 100. */
  owed(nodeId: string): Promise<OwedJob[]> {
    return this.#owed.of(nodeId)
  }

  /** These commands were handed to a transport for the first time. */
  sent(nodeId: string, commandIds: readonly string[]): void {
    for (const commandId of commandIds) {
      this.#loop.note({ kind: 'event', commandId, nodeId, event: { kind: 'sent' } })
    }
  }

  /** The node has it. Resolves when that is stored, as do the following. */
  accepted(nodeId: string, { kind, commandId }: JobName): Promise<void> {
    return this.#loop.ask({ kind: 'event', commandId, nodeId, event: { kind: 'accepted', job: kind } })
  }

  /** `code` is of agent_job_ack (data-plane.md 8.3); some mean that it may be tried again, one that it has it already. */
  refused(nodeId: string, job: JobName, code: string, message: string): Promise<void> {
    if (code === JobAckCode.duplicate) return this.accepted(nodeId, job)
    const { kind, commandId } = job
    const jitter = isTemporary(code) ? (this.#options.random ?? evenly)() : undefined
    const why = `the node refused the ${kind === 'command' ? 'command' : 'cancellation'}: ${code} ${message}`
    const event = { kind: 'refused' as const, job: kind, jitter, why }
    return this.#loop.ask({ kind: 'event', commandId, nodeId, event })
  }

  /** Also for commands that nobody knows. */
  reported(nodeId: string, commandId: string, { status, trace, steps }: CommandReply): Promise<void> {
    const event = { kind: 'reported' as const, status, trace }
    return this.#loop.ask({ kind: 'event', commandId, nodeId, event, steps })
  }

  /** It was deregistered. If it rejects, it is tried again all the same: it is said only once. */
  async nodeGone(nodeId: string): Promise<void> {
    const request = { kind: 'gone' as const, nodeId }
    try {
      await this.#loop.ask(request)
    } catch (error) {
      this.#loop.see(request)
      throw error
    }
  }

  #onStored({ changed, wake, notifications, orphans, deadline }: Outcome): void {
    if (this.#closed) return
    this.#notify(notifications)
    this.#announcements.commands(changed)
    this.#announcements.nodes(wake)
    if (deadline !== undefined) this.#awaitDeadline(deadline)
    if (orphans.size === 0) return
    this.#orphans = this.#removeOrphans(orphans)
    // Whoever waits for the deadlines hears of it, if somebody does; in any case they stay due.
    this.#orphans.catch(() => {})
  }

  #notify(notifications: readonly Notification[]): void {
    for (const notification of notifications) this.#options.logger.info(notification, 'command notification')
  }

  #awaitDeadline(at: number): void {
    if (this.#closed || (this.#alarm !== undefined && this.#alarm.at <= at)) return
    this.#alarm?.cancel()
    const { clock } = this.#options
    const cancel = clock.after(Math.min(Math.max(0, at - clock.now()), LONGEST_SLEEP_MS), () => {
      this.#alarm = undefined
      void this.#onDeadline()
    })
    this.#alarm = { at, cancel }
  }

  async #onDeadline(): Promise<void> {
    try {
      await this.#loop.ask({ kind: 'due' })
      await this.#orphans
      await this.#awaitNext()
    } catch (error) {
      if (this.#closed) return
      this.#options.logger.error({ err: error }, 'commands: deadlines could not be seen to, trying again')
      this.#awaitDeadline(this.#options.clock.now() + RETRY_MS)
    }
  }

  async #awaitNext(): Promise<void> {
    const { store, scope } = this.#options
    const next = await store.commandChanges.nextDeadline(scope)
    if (next !== undefined) this.#awaitDeadline(next)
  }

  /**
   * Nodes that were deregistered while a command was sent to them, or of which a former life did not get to know it. The
   * command is stored already, so nobody waits for this; if it fails the deadlines end what is left.
   */
  async #endDeparted(commandId?: string): Promise<void> {
    const { store, scope, logger } = this.#options
    try {
      const nodeIds = await store.commandChanges.departed(scope, commandId)
      if (!this.#closed) for (const nodeId of nodeIds) this.#loop.see({ kind: 'gone', nodeId })
    } catch (error) {
      if (!this.#closed) logger.error({ err: error }, 'commands: deregistered nodes could not be looked for')
    }
  }

  #remindLater(): void {
    this.#cancelReminder = this.#options.clock.after(REMINDER_INTERVAL_MS, () => {
      void this.#remind().finally(() => {
        if (!this.#closed) this.#remindLater()
      })
    })
  }

  async #remind(): Promise<void> {
    const { store, scope, clock, logger } = this.#options
    try {
      const nodeIds = await store.commandChanges.owing(scope, clock.now())
      if (!this.#closed) this.#announcements.nodes(nodeIds)
    } catch (error) {
      if (!this.#closed)
        logger.error({ err: error }, 'commands: nodes could not be reminded, trying again later')
    }
  }

  #removeLater(): void {
    this.#cancelRemoval = this.#options.clock.after(REMOVAL_INTERVAL_MS, () => {
      void this.#removeOld().finally(() => {
        if (!this.#closed) this.#removeLater()
      })
    })
  }

  async #removeOld(): Promise<void> {
    const { store, scope, clock, logger, onRemoved = () => {} } = this.#options
    try {
      await removeOld(store, scope, clock.now(), onRemoved)
    } catch (error) {
      if (!this.#closed)
        logger.error({ err: error }, 'commands: old ones could not be removed, trying again later')
    }
  }

  async #removeOrphans(commandIds: ReadonlySet<string>): Promise<void> {
    const { store, scope } = this.#options
    for (const commandId of commandIds) await store.commandChanges.remove(scope, commandId)
  }
}
