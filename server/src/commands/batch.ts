import type { StepReply } from '@sallyport/protocol/run-command'
import type { CommandChanges, CommandState } from '../store/command-changes.ts'
import type { InvocationRow, Scope, StepResultRow } from '../store/schema.ts'
import { afterEvent, type InvocationEvent, phaseOf } from './invocation.ts'
import type { JobContent } from './job-contents.ts'
import { isNotified, type Notification } from './notifications.ts'
import { statusOf } from './status.ts'
import { deliveryDeadline, freePlaces, isStopped, recount } from './window.ts'

/** What commands are told, in the order in which it comes. */
export type Request =
  | {
      kind: 'event'
      commandId: string
      nodeId: string
      event: InvocationEvent
      steps?: readonly StepReply[]
    }
  | { kind: 'cancel'; commandId: string; nodeIds?: readonly string[] | undefined }
  | { kind: 'gone'; nodeId: string }
  /** Deadlines have passed. */
  | { kind: 'due' }
  /** More of a command is to be ended, cancelled or let go than one batch takes. */
  | { kind: 'resume'; commandId: string }

/** Of invocations that a single request may concern, so many are dealt with in one transaction. */
const CHUNK = 100

/** What there is to do when the batch is stored. */
export type Outcome = {
  changed: ReadonlySet<string>
  /** Nodes that are owed something new. */
  wake: ReadonlySet<string>
  notifications: readonly Notification[]
  again: readonly Request[]
  /** Invocations of commands that do not exist: sending them was interrupted. */
  orphans: ReadonlySet<string>
  /** The earliest of the deadlines that were set. */
  deadline: number | undefined
}

type Given = { scope: Scope; now: number; contents: ReadonlyMap<string, JobContent> }

/**
 * Deals with many requests in one transaction, one after the other: what becomes of the commands is the same as if each
 * had a transaction of its own.
 */
export class Batch {
  readonly #changes: CommandChanges
  readonly #given: Given
  readonly #rows = new Map<string, InvocationRow>()
  readonly #commands = new Map<string, CommandState>()
  /** By command, what the window takes next; it may have gone another way meanwhile. */
  readonly #waiting = new Map<string, string[]>()
  readonly #due: string[] = []
  readonly #dirty = new Set<string>()
  readonly #changedCommands = new Set<string>()
  readonly #steps = new Map<string, StepResultRow>()
  readonly #wake = new Set<string>()
  readonly #notifications: Notification[] = []
  readonly #again = new Map<string, Request>()

  constructor(changes: CommandChanges, given: Given) {
    this.#changes = changes
    this.#given = given
  }

  async run(requests: readonly Request[]): Promise<Outcome> {
    await this.#load(requests)
    for (const request of requests) this.#handle(request)
    await this.#save()
    const orphans = this.#orphans()
    // They stay due until they are removed.
    if (orphans.size > 0) this.#again.delete('due')
    return {
      changed: this.#changedCommands,
      wake: this.#wake,
      notifications: this.#notifications,
      // Where nothing changed, the same again would change nothing either, and have no end.
      again: this.#changedCommands.size === 0 ? [] : [...this.#again.values()],
      orphans,
      deadline: this.#earliestDeadline(),
    }
  }

  async #load(requests: readonly Request[]): Promise<void> {
    const named = new Map<string, Set<string>>()
    const commandIds = new Set<string>()
    for (const request of requests) {
      if ('commandId' in request) commandIds.add(request.commandId)
      for (const [commandId, nodeId] of namedBy(request)) {
        named.set(commandId, (named.get(commandId) ?? new Set()).add(nodeId))
      }
    }
    this.#keep(await this.#changes.invocations(named))
    for (const request of requests) await this.#loadMany(request)
    for (const { commandId } of this.#rows.values()) commandIds.add(commandId)
    for (const command of await this.#changes.commands([...commandIds])) {
      this.#commands.set(command.commandId, command)
    }
    for (const command of this.#commands.values()) {
      await this.#loadUncancelled(command, requests)
      await this.#loadWaiting(command, requests)
    }
  }

  async #loadMany(request: Request): Promise<void> {
    if (request.kind === 'gone') {
      const rows = await this.#changes.ofNode(request.nodeId, CHUNK)
      this.#keep(rows)
      if (rows.length === CHUNK) this.#again.set(`gone ${request.nodeId}`, request)
    } else if (request.kind === 'due') {
      const rows = await this.#changes.due(this.#given.now, CHUNK)
      this.#keep(rows)
      this.#due.push(...rows.map(keyOf))
      if (rows.length === CHUNK) this.#again.set('due', request)
    }
  }

  /** Of a command that is cancelled as a whole, those that are under way. */
  async #loadUncancelled(
    { commandId, cancelRequestedAt }: CommandState,
    requests: readonly Request[],
  ): Promise<void> {
    const asked = requests.filter(isWhole).filter(request => request.commandId === commandId)
    if (!asked.some(({ kind }) => kind === 'cancel' || cancelRequestedAt !== null)) return
    const rows = await this.#changes.uncancelled(commandId, CHUNK)
    this.#keep(rows)
    if (rows.length === CHUNK) this.#resume(commandId)
  }

  /** As many as these requests may let go or end. */
  async #loadWaiting(command: CommandState, requests: readonly Request[]): Promise<void> {
    const { commandId, waitingCount } = command
    if (waitingCount === 0) return
    const concerned = requests.filter(request => !('commandId' in request) || request.commandId === commandId)
    const ends = isStopped(command) || command.cancelRequestedAt !== null || concerned.some(isWhole)
    const many = concerned.some(({ kind }) => kind === 'due' || kind === 'gone') ? this.#rows.size : 0
    const limit = ends ? CHUNK : freePlaces(command, this.#given.now) + concerned.length + many
    const rows = await this.#changes.waiting(commandId, Math.min(limit, CHUNK))
    this.#keep(rows)
    this.#waiting.set(commandId, rows.map(keyOf))
  }

  #keep(rows: readonly InvocationRow[]): void {
    for (const row of rows) this.#rows.set(keyOf(row), row)
  }

  #resume(commandId: string): void {
    this.#again.set(`resume ${commandId}`, { kind: 'resume', commandId })
  }

  #handle(request: Request): void {
    switch (request.kind) {
      case 'event':
        this.#keepSteps(request)
        this.#apply(keyOf(request), request.event)
        break
      case 'cancel':
        if (request.nodeIds === undefined) this.#cancelWhole(request.commandId)
        else this.#cancelSome(request.commandId, request.nodeIds)
        break
      case 'gone':
        for (const [key, row] of this.#rows) if (row.nodeId === request.nodeId) this.#apply(key, gone)
        break
      case 'due':
        for (const key of this.#due) this.#apply(key, due)
        break
      case 'resume':
        this.#goOn(request.commandId)
        break
      default:
        request satisfies never
    }
  }

  /** All of them before the window goes on, which would let go what is cancelled next. */
  #cancelSome(commandId: string, nodeIds: readonly string[]): void {
    for (const nodeId of nodeIds) this.#tell(keyOf({ commandId, nodeId }), cancel)
    const command = this.#commands.get(commandId)
    if (command !== undefined) this.#release(command)
  }

  #cancelWhole(commandId: string): void {
    const command = this.#commands.get(commandId)
    if (command === undefined || command.endedAt !== null) return
    // What is stopped already stays so: its waiting ones were not cancelled.
    this.#endWaiting(command)
    command.cancelRequestedAt ??= this.#given.now
    this.#showStatus(command)
    this.#goOn(commandId)
  }

  #goOn(commandId: string): void {
    const command = this.#commands.get(commandId)
    if (command === undefined || command.endedAt !== null) return
    this.#endWaiting(command)
    if (command.cancelRequestedAt !== null) {
      for (const [key, row] of this.#rows) {
        if (row.commandId === commandId && row.releasedAt !== null) this.#apply(key, cancel)
      }
    }
    this.#release(command)
  }

  /** One event of one invocation, and what follows from it for its command. */
  #apply(key: string, event: InvocationEvent): void {
    const command = this.#tell(key, event)
    if (command !== undefined) this.#release(command)
  }

  #tell(key: string, event: InvocationEvent): CommandState | undefined {
    const command = this.#commands.get(this.#rows.get(key)?.commandId ?? '')
    if (command === undefined) return undefined
    // These were owed to it before the event, when there are more than a batch takes.
    if (isStopped(command)) this.#move(command, key, terminate)
    if (command.cancelRequestedAt !== null) this.#move(command, key, cancel)
    this.#move(command, key, event)
    if (isStopped(command)) this.#endWaiting(command)
    return command
  }

  #endWaiting(command: CommandState): void {
    const stopped = isStopped(command)
    if (command.waitingCount === 0 || !(stopped || command.cancelRequestedAt !== null)) return
    for (const key of this.#waiting.get(command.commandId) ?? []) {
      if (this.#isWaiting(key)) this.#move(command, key, stopped ? terminate : cancel)
    }
    this.#waiting.set(command.commandId, [])
    if (command.waitingCount > 0) this.#resume(command.commandId)
  }

  #release(command: CommandState): void {
    const places = freePlaces(command, this.#given.now)
    const waiting = this.#waiting.get(command.commandId) ?? []
    for (let free = places; free > 0 && waiting.length > 0; ) {
      const key = waiting.shift()
      if (key === undefined || !this.#isWaiting(key)) continue
      this.#move(command, key, release)
      free -= 1
    }
    if (places > 0 && waiting.length === 0 && freePlaces(command, this.#given.now) > 0) {
      this.#resume(command.commandId)
    }
  }

  #isWaiting(key: string): boolean {
    const row = this.#rows.get(key)
    return row !== undefined && phaseOf(row) === 'waiting'
  }

  #move(command: CommandState, key: string, event: InvocationEvent): void {
    const before = this.#rows.get(key)
    if (before === undefined) return
    const { executionMs } = command
    const given = { now: this.#given.now, deliveryDeadline: deliveryDeadline(command), executionMs }
    const after = afterEvent(before, event, given)
    if (after === before) return
    this.#rows.set(key, after)
    this.#dirty.add(key)
    recount(command, before, after)
    const { commandId, nodeId, status } = after
    const news = after.owed !== before.owed || before.notBefore !== null
    if (after.owed !== null && after.notBefore === null && news) this.#wake.add(nodeId)
    if (status !== before.status && isNotified(command.settings, 'Invocation', status)) {
      this.#notifications.push({ commandId, nodeId, status })
    }
    this.#showStatus(command)
  }

  #showStatus(command: CommandState): void {
    const { commandId } = command
    this.#changedCommands.add(commandId)
    const { status, details } = command.endedAt === null ? statusOf(command, command.status) : command
    if (status !== command.status && isNotified(command.settings, 'Command', status)) {
      this.#notifications.push({ commandId, status })
    }
    command.status = status
    command.details = details
    if (command.completedCount >= command.targetCount) command.endedAt ??= this.#given.now
  }

  #keepSteps({ commandId, nodeId, steps = [] }: Extract<Request, { kind: 'event' }>): void {
    const released = this.#rows.get(keyOf({ commandId, nodeId }))?.releasedAt ?? null
    const known = this.#given.contents.get(commandId)?.steps
    if (released === null) return
    for (const { name, startedAt = null, endedAt = null, ...step } of steps) {
      // What the document does not say it has is made up.
      if (known?.has(name) !== true) continue
      const key = `${commandId} ${nodeId} ${name}`
      const earlier = this.#steps.get(key)
      if (earlier !== undefined && isFinal(earlier)) continue
      this.#steps.set(key, {
        ...this.#given.scope,
        commandId,
        nodeId,
        stepName: name,
        ...step,
        startedAt,
        endedAt,
      })
      this.#dirty.add(keyOf({ commandId, nodeId }))
      this.#changedCommands.add(commandId)
    }
  }

  async #save(): Promise<void> {
    const rows: InvocationRow[] = []
    for (const key of this.#dirty) {
      const row = this.#rows.get(key)
      const command = row && this.#commands.get(row.commandId)
      if (row === undefined || command === undefined) continue
      command.revision += 1
      rows.push({ ...row, revision: command.revision })
    }
    const touched = new Set(rows.map(row => row.commandId))
    await this.#changes.saveInvocations(rows)
    await this.#changes.saveSteps([...this.#steps.values()])
    for (const commandId of this.#changedCommands) {
      const command = this.#commands.get(commandId)
      if (command === undefined) continue
      if (!touched.has(commandId)) command.revision += 1
      await this.#changes.saveCommand(command)
    }
  }

  #orphans(): Set<string> {
    const commandIds = this.#due.map(key => this.#rows.get(key)?.commandId ?? '')
    return new Set(commandIds.filter(commandId => !this.#commands.has(commandId)))
  }

  #earliestDeadline(): number | undefined {
    let earliest: number | undefined
    for (const key of this.#dirty) {
      const deadline = this.#rows.get(key)?.deadline ?? null
      if (deadline !== null && (earliest === undefined || deadline < earliest)) earliest = deadline
    }
    return earliest
  }
}

const release = { kind: 'release' } as const
const cancel = { kind: 'cancel' } as const
const terminate = { kind: 'terminate' } as const
const gone = { kind: 'gone' } as const
const due = { kind: 'due' } as const

function keyOf({ commandId, nodeId }: { commandId: string; nodeId: string }): string {
  return `${commandId} ${nodeId}`
}

function isWhole(request: Request): request is Extract<Request, { kind: 'cancel' | 'resume' }> {
  return request.kind === 'resume' || (request.kind === 'cancel' && request.nodeIds === undefined)
}

function* namedBy(request: Request): Iterable<[commandId: string, nodeId: string]> {
  if (request.kind === 'event') yield [request.commandId, request.nodeId]
  if (request.kind === 'cancel') for (const nodeId of request.nodeIds ?? []) yield [request.commandId, nodeId]
}

function isFinal({ status }: StepResultRow): boolean {
  return !['NotStarted', 'InProgress', 'SuccessAndReboot', 'PassedAndReboot'].includes(status)
}
