import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { StoreError } from './errors.ts'
import { type Answer, OPENED, type QueryRequest, type Request } from './sqlite-messages.ts'

/** How many statements may wait for the database thread before further ones are refused with `busy`. */
export const MAX_PENDING = 20_000

export type QueryAnswer = { rows: Record<string, unknown>[]; changes: number | undefined }
type Query = Pick<QueryRequest, 'sql' | 'parameters' | 'writes' | 'transaction'>

/** The caller's end of the database thread. Every function rejects with StoreError. */
export type SqliteThread = {
  query(query: Query): Promise<QueryAnswer>
  /**
   * Waits its turn; from then on only statements of this transaction run, and, if they may pass, others that only read.
   * Answers with its number.
   */
  begin(options?: { readersMayPass: boolean }): Promise<number>
  commit(transaction: number): Promise<void>
  rollback(transaction: number): Promise<void>
  /** How many transactions were committed so far. */
  commits(): Promise<number>
  /** Finishes what was asked before, then ends the thread. */
  close(): Promise<void>
}

type Body =
  | Query
  | { kind: 'begin'; transaction: number; readersMayPass: boolean }
  | { kind: 'commit' | 'rollback'; transaction: number }
  | { kind: 'commits' | 'close' }
type Waiter = { resolve: (answer: QueryAnswer) => void; reject: (error: StoreError) => void }

/** Starts the thread and opens the database file at `path`. */
export async function openSqliteThread(path: string): Promise<SqliteThread> {
  const link = new ThreadLink(startWorker(path))
  await link.opened
  let transactions = 0
  return {
    query: query => link.ask(query, query.transaction !== undefined),
    begin: async ({ readersMayPass } = { readersMayPass: false }) => {
      transactions += 1
      const transaction = transactions
      await link.ask({ kind: 'begin', transaction, readersMayPass })
      return transaction
    },
    commit: async transaction => void (await link.ask({ kind: 'commit', transaction }, true)),
    rollback: async transaction => void (await link.ask({ kind: 'rollback', transaction }, true)),
    commits: async () => (await link.ask({ kind: 'commits' }, true)).changes ?? 0,
    close: () => link.close(),
  }
}

class ThreadLink {
  readonly opened: Promise<QueryAnswer>
  readonly #worker: Worker
  readonly #ended: Promise<void>
  readonly #waiters = new Map<number, Waiter>()
  #outgoing: Request[] = []
  #lastId = OPENED
  #failure: StoreError | undefined
  #closing: Promise<void> | undefined

  constructor(worker: Worker) {
    this.#worker = worker
    this.opened = new Promise((resolve, reject) => this.#waiters.set(OPENED, { resolve, reject }))
    worker.on('message', (answers: Answer[]) => this.#receive(answers))
    worker.on('error', error => this.#fail(`the database thread failed: ${error.message}`, error))
    this.#ended = new Promise(resolve => {
      worker.on('exit', () => {
        this.#fail('the database is closed')
        resolve()
      })
    })
    this.opened.catch(() => worker.terminate())
  }

  /** `urgent` requests pass the bound, because others wait for what they finish. */
  ask(body: Body, urgent = false): Promise<QueryAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure)
      if (!urgent && this.#waiters.size >= MAX_PENDING) {
        return reject(
          new StoreError('busy', `database: ${MAX_PENDING} statements are waiting; try again later`),
        )
      }
      this.#lastId += 1
      this.#waiters.set(this.#lastId, { resolve, reject })
      if (this.#outgoing.length === 0) queueMicrotask(() => this.#send())
      this.#outgoing.push(
        'kind' in body ? { id: this.#lastId, ...body } : { id: this.#lastId, kind: 'query', ...body },
      )
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    try {
      if (!this.#failure) await this.ask({ kind: 'close' }, true)
    } finally {
      await this.#worker.terminate()
      await this.#ended
    }
  }

  #send(): void {
    const requests = this.#outgoing
    this.#outgoing = []
    this.#worker.postMessage(requests)
  }

  #receive(answers: Answer[]): void {
    for (const answer of answers) {
      const waiter = this.#waiters.get(answer.id)
      this.#waiters.delete(answer.id)
      if ('failure' in answer) waiter?.reject(new StoreError(answer.failure.code, answer.failure.message))
      else waiter?.resolve(answer)
    }
  }

  #fail(message: string, cause?: Error): void {
    this.#failure ??= new StoreError('failed', message, cause)
    for (const waiter of this.#waiters.values()) waiter.reject(this.#failure)
    this.#waiters.clear()
  }
}

// The bundler emits the thread's entry beside the chunk that holds this module. From source there is only the
// TypeScript file, for which the thread has to install tsx itself: --import tsx does nothing inside a worker.
function startWorker(path: string): Worker {
  const bundled = new URL('./sqlite-worker.js', import.meta.url)
  if (existsSync(fileURLToPath(bundled))) return new Worker(bundled, { workerData: { path } })
  const source = new URL('./sqlite-worker.ts', import.meta.url).href
  const tsx = import.meta.resolve('tsx/esm/api')
  const bootstrap = `import(${JSON.stringify(tsx)}).then(tsx => (tsx.register(), import(${JSON.stringify(source)})))`
  return new Worker(bootstrap, { eval: true, workerData: { path } })
}
