import { ManualClock } from '@sallyport/protocol/manual-clock'
import type { CommandReply, DocumentStatus, StepReply } from '@sallyport/protocol/run-command'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openMemoryBus } from '../bus/memory.ts'
import { createLogger } from '../logger.ts'
import type { Store } from '../store/store.ts'
import { temporaryStore } from '../store/testing.ts'
import { Commands } from './commands.ts'
import { Model } from './model-testing.ts'
import { newCommand } from './testing.ts'

// Nodes that fail, vanish, refuse, answer twice or late and are cancelled, against a second implementation. Everything
// random comes of the number of the run.

const RUNS = Number(process.env.SALLYPORT_TEST_RUNS ?? 15)
const STEPS = 50

let store: Store
let dispose: () => Promise<void>

beforeAll(async () => {
  ;({ store, dispose } = await temporaryStore())
})
afterAll(() => dispose())

for (let run = 1; run <= RUNS; run += 1) {
  test(`commands are what a naive model says, run ${run}`, () => new Run(run).play(), 60_000)
}

const replies: readonly DocumentStatus[] = [
  'InProgress',
  'InProgress',
  'Success',
  'Success',
  'Success',
  'Failed',
  'TimedOut',
  'Cancelled',
  'Skipped',
  'SuccessAndReboot',
]
const codes = ['51401', '51402', '51404', '51499', '51405', '51406', '51408', '51403']
const temporary = ['51401', '51402', '51404', '51499']

class Run {
  readonly #random: () => number
  readonly #scope: { accountId: string; region: string }
  readonly #clock = new ManualClock()
  readonly #bus = openMemoryBus({ onError: () => {} })
  readonly #command
  readonly #nodes: string[]
  readonly #refused: number
  readonly #model: Model
  #commands: Commands
  /** How often nodes fail in this run. */
  readonly #trouble: number

  constructor(run: number) {
    this.#random = mulberry32(run)
    this.#scope = { accountId: String(run).padStart(12, '0'), region: 'us-east-1' }
    const size = this.#pick([1, 3, 20, 20, 60, 200])
    this.#nodes = Array.from({ length: size }, (_, i) => `mi-${String(i).padStart(17, '0')}`)
    this.#refused = this.#pick([0, 0, 0, 2])
    this.#trouble = this.#pick([0, 0.1, 0.5, 1])
    const total = size + this.#refused
    const [maxConcurrency, concurrency] = this.#limit(total, 1)
    const [maxErrors, errors] = this.#limit(total, 0)
    const timeoutSeconds = this.#pick([30, 600, 3_600])
    const executionMs = this.#pick([10_000, 600_000])
    const requestedAt = this.#clock.now()
    const timeoutMs = timeoutSeconds * 1_000
    this.#command = newCommand({ requestedAt, timeoutSeconds, executionMs, maxConcurrency, maxErrors })
    this.#model = new Model(
      { requestedAt, timeoutMs, executionMs, concurrency, errors },
      this.#nodes,
      this.#refused,
    )
    this.#commands = this.#open()
  }

  #open(): Commands {
    const logger = createLogger({ level: 'silent' })
    const random = () => 1
    return new Commands({ store, bus: this.#bus, scope: this.#scope, clock: this.#clock, logger, random })
  }

  async play(): Promise<void> {
    await this.#commands.start()
    const refused = Array.from({ length: this.#refused }, (_, i) => `mi-refused${i}`)
    const targets = [
      ...refused.map(nodeId => ({ nodeId, nodeName: '', refused: 'AccessDenied' as const })),
      ...this.#nodes.map(nodeId => ({ nodeId, nodeName: '' })),
    ]
    await this.#commands.send(this.#command, targets)
    await this.#compare('sent')
    for (let step = 1; step <= STEPS; step += 1) {
      await this.#step()
      await this.#compare(`step ${step}`)
    }
    // Whatever happens, it ends.
    while (!this.#model.ended) {
      await this.#advance(30 * 60_000)
      await this.#compare('at the end')
    }
    await this.#compareSteps()
    await this.#commands.close()
    expect(this.#clock.pending, 'no timer is left').toBe(0)
    await this.#bus.close()
  }

  async #step(): Promise<void> {
    const kind = this.#random()
    if (kind < 0.05) return this.#restart()
    if (kind < 0.15) return this.#advance(this.#pick([10, 1_000, 5_000, 30_000, 60_000, 300_000, 600_000]))
    if (kind < 0.16) return this.#cancelWhole()
    if (kind < 0.45) return this.#lookWhatIsOwed()
    // Together, so that they share batches.
    const many = 1 + Math.floor(this.#random() * this.#pick([1, 10, 40]))
    await Promise.all(Array.from({ length: many }, () => this.#act(this.#pick(this.#nodes))))
  }

  async #restart(): Promise<void> {
    await this.#commands.close()
    expect(this.#clock.pending, 'no timer is left').toBe(0)
    this.#commands = this.#open()
    await this.#commands.start()
  }

  async #advance(milliseconds: number): Promise<void> {
    this.#clock.advance(milliseconds)
    this.#model.tick(this.#clock.now())
  }

  async #cancelWhole(): Promise<void> {
    const done = this.#commands.cancel(this.#command.commandId)
    this.#model.cancel(undefined, this.#clock.now())
    await done
  }

  async #lookWhatIsOwed(): Promise<void> {
    const { commandId } = this.#command
    const now = this.#clock.now()
    const some = this.#nodes.filter(() => this.#random() < 0.5)
    const owed = await Promise.all(some.map(nodeId => this.#commands.owed(nodeId)))
    expect(owed.map(jobs => jobs[0]?.kind)).toEqual(some.map(nodeId => this.#model.owed(nodeId, now)))
    for (const [index, nodeId] of some.entries()) {
      if (owed[index]?.[0]?.kind !== 'command') continue
      this.#commands.sent(nodeId, [commandId])
      this.#model.sent(nodeId, now)
    }
  }

  /** What a node says, or somebody does to it. */
  async #act(nodeId: string): Promise<void> {
    const { commandId } = this.#command
    const now = this.#clock.now()
    const job = { kind: 'command' as const, commandId }
    const kind = this.#random()
    if (kind < 0.35) {
      this.#model.accepted(nodeId, now)
      return this.#commands.accepted(nodeId, job)
    }
    if (kind < 0.35 + 0.1 * this.#trouble) {
      const code = this.#pick(codes)
      if (code === '51405') this.#model.accepted(nodeId, now)
      else this.#model.refused(nodeId, temporary.includes(code), now)
      return this.#commands.refused(nodeId, job, code, 'why')
    }
    if (kind < 0.45 + 0.02 * this.#trouble) return
    if (kind < 0.52) {
      this.#model.cancelAccepted(nodeId)
      return this.#commands.accepted(nodeId, { kind: 'cancel', commandId })
    }
    if (kind < 0.52 + 0.05 * this.#trouble) {
      const nodeIds = [nodeId, this.#pick(this.#nodes)]
      this.#model.cancel(nodeIds, now)
      return this.#commands.cancel(commandId, nodeIds)
    }
    if (kind < 0.57 + 0.02 * this.#trouble) {
      this.#model.gone(nodeId, now)
      return this.#commands.nodeGone(nodeId)
    }
    if (kind < 0.61) return this.#commands.reported(nodeId, 'of another command', this.#reply('Success', {}))
    const status = this.#random() < this.#trouble ? this.#pick(replies) : this.#pick(replies.slice(0, 5))
    const steps = this.#steps()
    this.#model.reported(nodeId, status, steps, now)
    return this.#commands.reported(nodeId, commandId, this.#reply(status, steps))
  }

  #steps(): Record<string, DocumentStatus> {
    const names = ['one', 'two'].filter(() => this.#random() < 0.5)
    return Object.fromEntries(names.map(name => [name, this.#pick(replies)]))
  }

  #reply(status: DocumentStatus, steps: Record<string, DocumentStatus>): CommandReply {
    const results = Object.entries(steps).map(([name, result]) => stepReply(name, result))
    return { status, trace: '', steps: [...results, stepReply('made up', 'Success')] }
  }

  async #compare(when: string): Promise<void> {
    // What goes on over several batches is over when as many have gone by.
    for (let i = 0; i < 6; i += 1) await this.#commands.cancel('none')
    const { commandId } = this.#command
    const rows = await store.invocations.changedSince(this.#scope, commandId, 0, 1_000)
    const found = new Map(rows.map(row => [row.nodeId, row]))
    const model = this.#model
    const shown = this.#nodes.map(nodeId => `${nodeId} ${found.get(nodeId)?.details}`)
    expect(shown, when).toEqual(model.nodes.map(node => `${node.nodeId} ${model.statusOf(node)}`))
    const command = await store.commands.summary(this.#scope, commandId)
    expect(command, when).toMatchObject({
      details: model.status,
      activeCount: model.underWay,
      completedCount: this.#refused + model.nodes.filter(({ end }) => end !== undefined).length,
      errorCount: model.errors,
      successCount: model.count('Success'),
      deliveryTimedOutCount: model.count('DeliveryTimedOut'),
      cancelledCount: model.count('Cancelled'),
    })
    expect(model.underWay, when).toBeLessThanOrEqual(command?.concurrencyLimit ?? 0)
    expect(command?.endedAt !== null, when).toBe(model.ended)
    const revisions = rows.map(row => row.revision)
    expect(new Set(revisions).size, 'each invocation has a revision of its own').toBe(rows.length)
    expect(command?.revision).toBeGreaterThanOrEqual(Math.max(...revisions))
  }

  async #compareSteps(): Promise<void> {
    const results = await store.stepResults.of(this.#scope, this.#command.commandId, this.#nodes)
    const found = results.map(result => `${result.nodeId} ${result.stepName} ${result.status}`)
    const expected = this.#model.nodes.flatMap(({ nodeId, steps }) =>
      [...steps].map(([name, status]) => `${nodeId} ${name} ${status}`),
    )
    expect(found.sort()).toEqual(expected.sort())
  }

  #pick<T>(values: readonly T[]): T {
    return values[Math.floor(this.#random() * values.length)] as T
  }

  #limit(targets: number, least: number): [text: string, limit: number] {
    if (this.#random() < 0.5) {
      const percent = this.#pick([1, 10, 33, 100])
      return [`${percent}%`, Math.max(least, Math.floor((targets * percent) / 100))]
    }
    const number = this.#pick([least, 1, 5, 50])
    return [String(number), number]
  }
}

function stepReply(name: string, status: DocumentStatus): StepReply {
  const text = { output: '', standardOutput: '', standardError: '' }
  return { name, status, code: 0, ...text, startedAt: undefined, endedAt: undefined }
}

function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
