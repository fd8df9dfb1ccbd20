import { DatabaseSync, type DatabaseSyncInstance, type StatementSyncInstance } from '@photostructure/sqlite'
import type { StoreErrorCode } from './errors.ts'
import type { Answer, Failure, QueryRequest, Request } from './sqlite-messages.ts'

/** How many statements share one commit at most. */
const MAX_GROUP = 1_000
/** How many prepared statements are kept. */
const MAX_STATEMENTS = 500
/** An interactive transaction keeps everybody else waiting; one that lasts longer is rolled back. */
const TRANSACTION_LIMIT_MS = 10_000
const BUSY_TIMEOUT_MS = 5_000

type Statement = { prepared: StatementSyncInstance; returnsRows: boolean }

/**
 * One SQLite connection with group commit: the statements that arrived while the engine was busy share a
 * transaction, and each is answered only after its COMMIT. A statement that fails does so alone, a COMMIT that
 * fails takes the whole group with it. Interactive transactions have the connection to themselves.
 */
export class SqliteEngine {
  readonly #database: DatabaseSyncInstance
  readonly #answer: (answers: Answer[]) => void
  readonly #statements = new Map<string, Statement>()
  #waiting: Request[] = []
  #owned: Request[] = []
  #transaction: number | undefined
  #transactionTimer: NodeJS.Timeout | undefined
  #scheduled = false
  #commits = 0

  constructor(path: string, answer: (answers: Answer[]) => void) {
    this.#answer = answer
    this.#database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true })
    this.#database.exec('pragma journal_mode = wal; pragma synchronous = full')
  }

  receive(requests: Request[]): void {
    for (const request of requests) {
      if ('transaction' in request && request.transaction !== undefined && request.kind !== 'begin') {
        this.#owned.push(request)
      } else {
        this.#waiting.push(request)
      }
    }
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#drain()
    })
  }

  #drain(): void {
    this.#runOwned()
    while (this.#transaction === undefined && this.#waiting.length > 0) {
      const end = this.#waiting.findIndex((request, index) => request.kind !== 'query' || index >= MAX_GROUP)
      if (end === 0) {
        const [request] = this.#waiting.splice(0, 1)
        if (request) this.#runControl(request)
      } else {
        const group = this.#waiting.splice(0, end === -1 ? this.#waiting.length : end)
        this.#answer(this.#runGroup(group.filter(request => request.kind === 'query')))
      }
    }
  }

  #runGroup(group: QueryRequest[]): Answer[] {
    if (!group.some(request => request.writes)) return group.map(request => this.#execute(request))
    const answers: Answer[] = []
    try {
      this.#database.exec('begin immediate')
      for (const request of group) {
        answers.push(this.#execute(request))
        if (!this.#database.isTransaction) return this.#afterForcedRollback(group, answers)
      }
      this.#commit()
      return answers
    } catch (error) {
      this.#rollback()
      return allFailed(group, failureOf(error))
    }
  }

  // Some errors, a full disk among them, make SQLite roll back the transaction by itself
  // (sqlite.org/lang_transaction.html, "Response To Errors Within A Transaction").
  #afterForcedRollback(group: QueryRequest[], answers: Answer[]): Answer[] {
    const last = answers.at(-1)
    const failure = last && 'failure' in last ? last.failure : lostTransaction
    return [
      ...allFailed(group.slice(0, answers.length), failure),
      ...this.#runGroup(group.slice(answers.length)),
    ]
  }

  #runOwned(): void {
    const requests = this.#owned
    this.#owned = []
    for (const request of requests) {
      if (!('transaction' in request) || request.transaction !== this.#transaction) {
        // Rolling back what is gone already is what the caller of a failed commit does.
        this.#answer([
          request.kind === 'rollback' ? done(request.id) : { id: request.id, failure: lostTransaction },
        ])
      } else if (request.kind === 'query') {
        this.#answer([this.#execute(request)])
        if (!this.#database.isTransaction) this.#endTransaction()
      } else {
        this.#finish(request.id, request.kind === 'commit')
      }
    }
  }

  #finish(id: number, commit: boolean): void {
    try {
      if (commit) this.#commit()
      else this.#rollback()
      this.#answer([done(id)])
    } catch (error) {
      this.#rollback()
      this.#answer([{ id, failure: failureOf(error) }])
    } finally {
      this.#endTransaction()
    }
  }

  #runControl(request: Request): void {
    try {
      if (request.kind === 'begin') this.#begin(request.transaction)
      if (request.kind === 'close') this.#close()
      this.#answer([
        { ...done(request.id), ...(request.kind === 'commits' ? { changes: this.#commits } : {}) },
      ])
    } catch (error) {
      this.#answer([{ id: request.id, failure: failureOf(error) }])
    }
  }

  #begin(transaction: number): void {
    this.#database.exec('begin immediate')
    this.#transaction = transaction
    this.#transactionTimer = setTimeout(() => {
      this.#rollback()
      this.#endTransaction()
    }, TRANSACTION_LIMIT_MS)
  }

  #endTransaction(): void {
    clearTimeout(this.#transactionTimer)
    this.#transaction = undefined
    this.#schedule()
  }

  #commit(): void {
    this.#database.exec('commit')
    this.#commits += 1
  }

  #rollback(): void {
    if (this.#database.isTransaction) this.#database.exec('rollback')
  }

  #close(): void {
    this.#statements.clear()
    this.#database.close()
  }

  #execute({ id, sql, parameters }: QueryRequest): Answer {
    try {
      const { prepared, returnsRows } = this.#statement(sql)
      if (returnsRows) return { id, rows: prepared.all(...parameters), changes: undefined }
      return { id, rows: [], changes: prepared.run(...parameters).changes }
    } catch (error) {
      return { id, failure: failureOf(error) }
    }
  }

  #statement(sql: string): Statement {
    const known = this.#statements.get(sql)
    if (known) {
      // Moved to the end: a Map keeps the order of insertion, so the first key is the one unused for longest.
      this.#statements.delete(sql)
      this.#statements.set(sql, known)
      return known
    }
    const prepared = this.#database.prepare(sql)
    const statement = { prepared, returnsRows: prepared.columns().length > 0 }
    if (this.#statements.size >= MAX_STATEMENTS) {
      const [oldest] = this.#statements.keys()
      if (oldest !== undefined) this.#statements.delete(oldest)
    }
    this.#statements.set(sql, statement)
    return statement
  }
}

/** The failure that an error of SQLite stands for. Result codes: sqlite.org/rescode.html; the low byte is primary. */
export function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error)
  const resultCode = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
  return { code: codes[resultCode] ?? 'failed', message: `database: ${message}` }
}

const codes: Readonly<Record<number, StoreErrorCode>> = { 5: 'busy', 6: 'busy', 13: 'full', 19: 'constraint' }

const lostTransaction: Failure = {
  code: 'failed',
  message: `database: the transaction was rolled back before its end, by an error or after ${TRANSACTION_LIMIT_MS} ms`,
}

function done(id: number): Answer {
  return { id, rows: [], changes: undefined }
}

function allFailed(group: QueryRequest[], failure: Failure): Answer[] {
  return group.map(({ id }) => ({ id, failure }))
}
