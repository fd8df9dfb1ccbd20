import { randomUUID } from 'node:crypto'
import type { Clock } from '@sallyport/protocol/clock'
import { type AgentJob, CANCEL_TOPIC, jobIdOf, SEND_TOPIC } from '@sallyport/protocol/run-command'
import { OWN_AGENT_NAME } from '@sallyport/protocol/versions'
import type { OwedInvocation } from '../store/owed-jobs.ts'
import type { Scope } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import type { JobContents } from './job-contents.ts'

/** What a node is told at a time. */
const MAX_JOBS = 100
/** Nodes of one query. */
const NODES_AT_ONCE = 100
/** Stock agents remember for 30 minutes what they ran (control-plane.md 11.6), and would run it again after. */
const STOCK_MEMORY_MS = 25 * 60_000

export type JobName = { kind: 'command' | 'cancel'; commandId: string }
/** What a node is to be told now. */
export type OwedJob = JobName & { job: AgentJob }

type Options = { store: Store; scope: Scope; clock: Clock; contents: JobContents }
type Waiter = { resolve: (owed: OwedInvocation[]) => void; reject: (error: unknown) => void }

/** Finds what nodes are owed. Nodes that ask while a query runs share the next one. */
export class OwedJobs {
  readonly #options: Options
  #waiting = new Map<string, Waiter[]>()
  #running = false

  constructor(options: Options) {
    this.#options = options
  }

  async of(nodeId: string): Promise<OwedJob[]> {
    const rows = await this.#rows(nodeId)
    if (rows.length === 0) return []
    const contents = await this.#options.contents.load(rows.map(row => row.commandId))
    return rows.flatMap(({ commandId, owed }) => {
      const content = contents.get(commandId)?.content
      if (content === undefined) return []
      const job =
        owed === 'cancel' ? this.#cancelJob(commandId, nodeId) : this.#commandJob(commandId, nodeId, content)
      return { kind: owed, commandId, job }
    })
  }

  #commandJob(commandId: string, nodeId: string, content: string): AgentJob {
    return { jobId: jobIdOf(commandId, nodeId), topic: this.#topic(SEND_TOPIC, nodeId), content }
  }

  #cancelJob(commandId: string, nodeId: string): AgentJob {
    const content = JSON.stringify({ CancelMessageId: jobIdOf(commandId, nodeId) })
    return { jobId: randomUUID(), topic: this.#topic(CANCEL_TOPIC, nodeId), content }
  }

  /** As AWS's (observed.md 6). */
  #topic(topic: string, nodeId: string): string {
    return `${topic}.${this.#options.scope.region}.${nodeId}`
  }

  #rows(nodeId: string): Promise<OwedInvocation[]> {
    return new Promise((resolve, reject) => {
      const waiters = this.#waiting.get(nodeId) ?? []
      waiters.push({ resolve, reject })
      this.#waiting.set(nodeId, waiters)
      if (!this.#running) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#running = true
    // Whoever asks in this turn comes along.
    await Promise.resolve()
    while (this.#waiting.size > 0) {
      const taken = [...this.#waiting].slice(0, NODES_AT_ONCE)
      for (const [nodeId] of taken) this.#waiting.delete(nodeId)
      await this.#answer(new Map(taken))
    }
    this.#running = false
  }

  async #answer(asking: ReadonlyMap<string, Waiter[]>): Promise<void> {
    const { store, scope, clock } = this.#options
    try {
      const now = clock.now()
      const sentSince = now - STOCK_MEMORY_MS
      const limits = { now, limit: MAX_JOBS, sentSince, remembering: OWN_AGENT_NAME }
      const rows = await store.commandChanges.owed(scope, [...asking.keys()], limits)
      const byNode = new Map<string, OwedInvocation[]>()
      for (const row of rows) {
        const others = byNode.get(row.nodeId)
        if (others === undefined) byNode.set(row.nodeId, [row])
        else others.push(row)
      }
      for (const [nodeId, waiters] of asking) {
        for (const { resolve } of waiters) resolve(byNode.get(nodeId) ?? [])
      }
    } catch (error) {
      for (const waiters of asking.values()) for (const { reject } of waiters) reject(error)
    }
  }
}
