import type { Clock } from '@sallyport/protocol/clock'
import type { Logger } from '../logger.ts'
import { StoreError } from '../store/errors.ts'
import type { Scope } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import { Batch, type Outcome, type Request } from './batch.ts'
import type { JobContents } from './job-contents.ts'

/** What one transaction takes at most, so that nobody else waits long for the store. */
const MAX_REQUESTS = 100
const MAX_COMMANDS = 50
const MAX_CHARACTERS = 1_000_000
/** Who wants more is refused, and told so. */
const MAX_WAITING = 50_000
/** Of what steps wrote: the results of ten thousand nodes that write all they may would be half a gigabyte. */
export const MAX_WAITING_CHARACTERS = 200_000_000
/** For how long notes wait for something to go with; nobody waits for them. */
const NOTE_MS = 20
const RETRY_MS = 1_000

export type LoopOptions = {
  store: Store
  scope: Scope
  clock: Clock
  logger: Logger
  contents: JobContents
  /** Called after each batch, when it is stored. */
  onStored: (outcome: Outcome) => void
}

type Waiter = { request: Request; resolve: () => void; reject: (error: unknown) => void }
/** For notes nobody waits. */
type Taken = Pick<Waiter, 'request'> & Partial<Waiter>

/**
 * Takes requests in batches, one transaction each. What comes while one runs goes with the next. Where a batch fails for
 * something in it, its requests are taken one by one.
 */
export class Loop {
  readonly #options: LoopOptions
  #waiting: Waiter[] = []
  #waitingCharacters = 0
  #notes: Request[] = []
  #cancelNotes: (() => void) | undefined
  readonly #retries = new Set<() => void>()
  #running: Promise<void> = Promise.resolve()
  #busy = false
  #closed = false

  constructor(options: LoopOptions) {
    this.#options = options
  }

  /** Resolves when it is stored. */
  ask(request: Request): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('commands: the server is closing'))
    if (this.#waiting.length >= MAX_WAITING || this.#waitingCharacters >= MAX_WAITING_CHARACTERS) {
      return Promise.reject(
        new Error(`commands: ${this.#waiting.length} requests are waiting; try again later`),
      )
    }
    return new Promise((resolve, reject) => {
      this.#waitingCharacters += weightOf(request)
      this.#waiting.push({ request, resolve, reject })
      this.#start()
    })
  }

  /** What may go with other requests, and may be lost. */
  note(request: Request): void {
    if (this.#closed || this.#notes.length >= MAX_WAITING) return
    this.#notes.push(request)
    this.#cancelNotes ??= this.#options.clock.after(NOTE_MS, () => {
      this.#cancelNotes = undefined
      this.#start()
    })
  }

  /** What is to be done in any case, now or, if that fails, later. */
  see(request: Request): void {
    this.ask(request).catch((error: unknown) => {
      if (this.#closed) return
      this.#options.logger.error({ err: error }, 'commands: the store did not take it, trying again')
      const cancel = this.#options.clock.after(RETRY_MS, () => {
        this.#retries.delete(cancel)
        this.see(request)
      })
      this.#retries.add(cancel)
    })
  }

  /** Finishes what was asked before. */
  async close(): Promise<void> {
    this.#cancelNotes?.()
    if (this.#notes.length > 0) this.#start()
    this.#closed = true
    for (const cancel of this.#retries) cancel()
    await this.#running
  }

  #start(): void {
    if (this.#busy) return
    this.#busy = true
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 || this.#notes.length > 0) {
      const notes = this.#notes.splice(0, MAX_REQUESTS).map(request => ({ request }))
      await this.#deal([...notes, ...this.#take()])
    }
    // In the same turn as the last look, so that nobody is left waiting.
    this.#busy = false
  }

  async #deal(taken: readonly Taken[]): Promise<void> {
    let outcome: Outcome
    try {
      outcome = await this.#commit(taken.map(({ request }) => request))
    } catch (error) {
      if (taken.length === 1 || isOutage(error)) this.#fail(taken, error)
      else for (const one of taken) await this.#deal([one])
      return
    }
    try {
      this.#finish(outcome)
      for (const { resolve } of taken) resolve?.()
    } catch (error) {
      this.#fail(taken, error)
    }
  }

  #fail(taken: readonly Taken[], error: unknown): void {
    for (const { reject } of taken) reject?.(error)
    if (taken.some(({ reject }) => reject === undefined)) {
      this.#options.logger.error({ err: error }, 'commands: the store failed')
    }
  }

  #take(): Waiter[] {
    const commandIds = new Set<string>()
    let characters = 0
    const full = ({ request }: Waiter): boolean => {
      if ('commandId' in request) commandIds.add(request.commandId)
      characters += weightOf(request)
      return commandIds.size > MAX_COMMANDS || characters > MAX_CHARACTERS
    }
    // One of them at least, whatever it weighs.
    const end = this.#waiting.findIndex((waiter, at) => at >= MAX_REQUESTS || (full(waiter) && at > 0))
    const taken = this.#waiting.splice(0, end === -1 ? this.#waiting.length : end)
    for (const { request } of taken) this.#waitingCharacters -= weightOf(request)
    return taken
  }

  async #commit(requests: readonly Request[]): Promise<Outcome> {
    const { store, scope, clock, contents } = this.#options
    // Before the transaction, which has the store to itself.
    const known = await contents.load(
      requests.flatMap(request =>
        request.kind === 'event' && request.event.kind === 'reported' ? [request.commandId] : [],
      ),
    )
    return await store.commandChanges.change(scope, changes =>
      new Batch(changes, { scope, now: clock.now(), contents: known }).run(requests),
    )
  }

  #finish(outcome: Outcome): void {
    this.#options.onStored(outcome)
    for (const request of outcome.again) if (!this.#closed) this.see(request)
  }
}

/** Each of the requests would fail in the same way. */
function isOutage(error: unknown): boolean {
  return error instanceof StoreError && (error.code === 'busy' || error.code === 'full')
}

function weightOf(request: Request): number {
  if (request.kind !== 'event') return 0
  let characters = 0
  for (const { output, standardOutput, standardError } of request.steps ?? []) {
    characters += output.length + standardOutput.length + standardError.length
  }
  return characters
}
