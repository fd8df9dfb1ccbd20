// A second, naive Run Command for tests: every rule looks at everything again, and nothing is counted.

import type { DocumentStatus } from '@sallyport/protocol/run-command'

const MINUTE = 60_000

export type ModelNode = {
  nodeId: string
  released: boolean
  sentAt: number | undefined
  acceptedAt: number | undefined
  cancelAt: number | undefined
  /** Whom it is told to stop although it has ended; until when. */
  strayUntil: number | undefined
  cancelTaken: boolean
  pausedUntil: number | undefined
  pauses: number
  end: string | undefined
  delayed: boolean
  steps: Map<string, DocumentStatus>
}

export type ModelRules = {
  requestedAt: number
  timeoutMs: number
  executionMs: number
  concurrency: number
  errors: number
}

const endings: Partial<Record<DocumentStatus, string>> = {
  Success: 'Success',
  Skipped: 'Success',
  Failed: 'Failed',
  Cancelled: 'Cancelled',
  TimedOut: 'ExecutionTimedOut',
}
const unfinished = ['NotStarted', 'InProgress', 'SuccessAndReboot', 'PassedAndReboot']

export class Model {
  readonly nodes: ModelNode[]
  readonly rules: ModelRules
  readonly #targetCount: number
  cancelled = false
  started = false

  constructor(rules: ModelRules, nodeIds: readonly string[], refused: number) {
    this.rules = rules
    this.#targetCount = nodeIds.length + refused
    this.nodes = nodeIds.map(nodeId => ({
      nodeId,
      released: false,
      sentAt: undefined,
      acceptedAt: undefined,
      cancelAt: undefined,
      strayUntil: undefined,
      cancelTaken: false,
      pausedUntil: undefined,
      pauses: 0,
      end: undefined,
      delayed: false,
      steps: new Map(),
    }))
    this.settle(rules.requestedAt)
  }

  count(ends: string): number {
    return this.nodes.filter(({ end }) => end === ends).length
  }

  get errors(): number {
    return this.count('Failed') + this.count('ExecutionTimedOut')
  }

  get underWay(): number {
    return this.nodes.filter(node => node.released && node.end === undefined).length
  }

  node(nodeId: string): ModelNode | undefined {
    return this.nodes.find(node => node.nodeId === nodeId)
  }

  #expiry({ requestedAt, timeoutMs }: ModelRules): number {
    return requestedAt + timeoutMs
  }

  settle(now: number): void {
    for (const node of this.nodes) {
      if (node.end !== undefined || node.released) continue
      if (this.errors > this.rules.errors) node.end = 'Terminated'
      else if (this.cancelled) node.end = 'Cancelled'
      else if (now < this.#expiry(this.rules) && this.underWay < this.rules.concurrency) node.released = true
    }
  }

  sent(nodeId: string, now: number): void {
    const node = this.node(nodeId)
    if (node === undefined || !node.released || node.sentAt !== undefined) return
    node.sentAt = now
    if (node.end !== undefined && node.end !== 'Success' && node.acceptedAt === undefined)
      this.#stray(node, now)
  }

  #stray(node: ModelNode, now: number): void {
    node.strayUntil = now + 24 * 60 * MINUTE
    node.pausedUntil = undefined
  }

  accepted(nodeId: string, now: number): void {
    const node = this.node(nodeId)
    if (node === undefined || !node.released || node.acceptedAt !== undefined) return
    if (node.end === 'Success') return
    node.acceptedAt = now
    node.pausedUntil = undefined
    if (node.end !== undefined) return this.#stray(node, now)
    node.delayed = false
    if (node.cancelAt !== undefined) {
      node.cancelAt = now
      node.cancelTaken = false
    }
  }

  cancelAccepted(nodeId: string): void {
    const node = this.node(nodeId)
    if (node === undefined) return
    node.strayUntil = undefined
    if (node.cancelAt !== undefined) node.cancelTaken = true
  }

  refused(nodeId: string, again: boolean, now: number): void {
    const node = this.node(nodeId)
    if (node === undefined || !node.released || node.end !== undefined || node.acceptedAt !== undefined)
      return
    if (node.cancelAt !== undefined) node.end = 'Cancelled'
    else if (!again) node.end = 'Failed'
    else {
      // With the most of jitter.
      node.pausedUntil = now + Math.min(10_000, 1_000 * 2 ** node.pauses)
      node.pauses += 1
      node.delayed = true
    }
    this.settle(now)
  }

  reported(nodeId: string, status: DocumentStatus, steps: Record<string, DocumentStatus>, now: number): void {
    const node = this.node(nodeId)
    if (node === undefined || !node.released) return
    for (const [name, result] of Object.entries(steps)) {
      if (unfinished.includes(node.steps.get(name) ?? 'InProgress')) node.steps.set(name, result)
    }
    const ending = endings[status]
    if (ending === undefined) return this.accepted(nodeId, now)
    node.acceptedAt ??= now
    node.strayUntil = undefined
    node.end ??= ending
    this.settle(now)
  }

  cancel(nodeIds: readonly string[] | undefined, now: number): void {
    if (nodeIds === undefined) {
      if (this.ended) return
      this.cancelled = true
    }
    for (const node of this.nodes) {
      if (nodeIds !== undefined && !nodeIds.includes(node.nodeId)) continue
      if (node.end !== undefined || node.cancelAt !== undefined) continue
      if (node.acceptedAt === undefined && (!node.released || node.sentAt === undefined || node.delayed)) {
        node.end = 'Cancelled'
      } else {
        node.cancelAt = now
        node.cancelTaken = false
      }
    }
    this.settle(now)
  }

  gone(nodeId: string, now: number): void {
    const node = this.node(nodeId)
    if (node === undefined) return
    node.strayUntil = undefined
    if (node.cancelAt !== undefined) node.end ??= 'Cancelled'
    else node.end ??= node.acceptedAt === undefined ? 'Undeliverable' : 'Failed'
    this.settle(now)
  }

  /** When the node ends by itself, and how. */
  #fate(node: ModelNode): { at: number; end: string } {
    const expiry = this.#expiry(this.rules)
    if (node.cancelAt !== undefined) {
      const limit = node.cancelAt + 5 * MINUTE
      return { at: node.acceptedAt === undefined ? Math.min(limit, expiry) : limit, end: 'Cancelled' }
    }
    if (node.acceptedAt === undefined) return { at: expiry, end: 'DeliveryTimedOut' }
    return { at: node.acceptedAt + this.rules.executionMs + MINUTE, end: 'ExecutionTimedOut' }
  }

  tick(now: number): void {
    for (;;) {
      let first: { node: ModelNode; at: number; end: string } | undefined
      for (const node of this.nodes) {
        if (node.end !== undefined) continue
        const fate = this.#fate(node)
        if (fate.at <= now && (first === undefined || fate.at < first.at)) first = { node, ...fate }
      }
      if (first === undefined) break
      const { node, end } = first
      node.end = end
      if (end === 'ExecutionTimedOut') this.#stray(node, now)
      if (end === 'Cancelled' && !node.cancelTaken) this.#stray(node, now)
      this.settle(now)
    }
    for (const node of this.nodes) {
      if (node.strayUntil !== undefined && node.strayUntil <= now) node.strayUntil = undefined
    }
    this.settle(now)
  }

  owed(nodeId: string, now: number): 'command' | 'cancel' | undefined {
    const node = this.node(nodeId)
    if (node === undefined || !node.released) return undefined
    if (node.end !== undefined) return node.strayUntil === undefined ? undefined : 'cancel'
    if (node.cancelAt !== undefined) return node.cancelTaken ? undefined : 'cancel'
    if (node.acceptedAt !== undefined || (node.pausedUntil ?? 0) > now) return undefined
    return node.sentAt !== undefined && now - node.sentAt > 25 * MINUTE ? undefined : 'command'
  }

  statusOf(node: ModelNode): string {
    if (node.end !== undefined) return node.end
    if (node.cancelAt !== undefined) return 'Cancelling'
    if (node.acceptedAt !== undefined) return 'InProgress'
    return node.delayed ? 'Delayed' : 'Pending'
  }

  get ended(): boolean {
    return this.nodes.every(({ end }) => end !== undefined)
  }

  get status(): string {
    if (!this.ended) return this.cancelled ? 'Cancelling' : 'InProgress'
    if (this.count('Success') === this.#targetCount) return 'Success'
    if (this.errors > this.rules.errors) return 'Failed'
    if (this.cancelled && this.count('Cancelled') > 0) return 'Cancelled'
    return this.count('DeliveryTimedOut') === this.#targetCount ? 'DeliveryTimedOut' : 'Incomplete'
  }
}
