import { failureOf, SqliteConnection } from './sqlite-connection.ts'
import type { Answer, Failure, QueryRequest, Request } from './sqlite-messages.ts'

/** How many statements share one commit at most. */
const MAX_GROUP = 1_000
/** An interactive transaction keeps everybody else waiting; one that lasts longer is rolled back. */
const TRANSACTION_LIMIT_MS = 10_000

/**
 * SQLite with group commit: the statements that arrived while the engine was busy share a transaction, and each is
 * answered only after its COMMIT. A statement that fails does so alone, a COMMIT that fails takes the whole group with
 * it. Interactive transactions have the writing connection to themselves, for as long as their owner takes between
 * statements; where readers may pass, they do so by another connection, which sees what is committed.
 */
export class SqliteEngine {
  readonly #path: string
  readonly #writer: SqliteConnection
  #reader: SqliteConnection | undefined
  readonly #answer: (answers: Answer[]) => void
  #waiting: Request[] = []
  #owned: Request[] = []
  #transaction: number | undefined
  #readersMayPass = false
  #transactionTimer: NodeJS.Timeout | undefined
  #scheduled = false
  #commits = 0

  constructor(path: string, answer: (answers: Answer[]) => void) {
    this.#answer = answer
    this.#path = path
    this.#writer = new SqliteConnection(path)
    this.#writer.exec('pragma journal_mode = wal; pragma synchronous = full')
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
    if (this.#transaction !== undefined && this.#readersMayPass) this.#readMeanwhile()
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

  /** What was asked after something else that waits stays behind it. */
  #readMeanwhile(): void {
    const end = this.#waiting.findIndex(request => !isRead(request))
    const reads = this.#waiting.splice(0, end === -1 ? this.#waiting.length : end).filter(isRead)
    if (reads.length === 0) return
    this.#reader ??= new SqliteConnection(this.#path, { readOnly: true })
    const reader = this.#reader
    this.#answer(reads.map(request => reader.execute(request)))
  }

  #runGroup(group: QueryRequest[]): Answer[] {
    if (!group.some(request => request.writes)) return group.map(request => this.#writer.execute(request))
    const answers: Answer[] = []
    try {
      this.#writer.exec('begin immediate')
      for (const request of group) {
        answers.push(this.#writer.execute(request))
        if (!this.#writer.isTransaction) return this.#afterForcedRollback(group, answers)
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
        this.#answer([this.#writer.execute(request)])
        if (!this.#writer.isTransaction) this.#endTransaction()
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
      if (request.kind === 'begin') this.#begin(request.transaction, request.readersMayPass)
      if (request.kind === 'close') this.#close()
      this.#answer([
        { ...done(request.id), ...(request.kind === 'commits' ? { changes: this.#commits } : {}) },
      ])
    } catch (error) {
      this.#answer([{ id: request.id, failure: failureOf(error) }])
    }
  }

  #begin(transaction: number, readersMayPass: boolean): void {
    this.#writer.exec('begin immediate')
    this.#transaction = transaction
    this.#readersMayPass = readersMayPass
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
    this.#writer.exec('commit')
    this.#commits += 1
  }

  #rollback(): void {
    if (this.#writer.isTransaction) this.#writer.exec('rollback')
  }

  #close(): void {
    this.#reader?.close()
    this.#writer.close()
  }
}

const lostTransaction: Failure = {
  code: 'failed',
  message: `database: the transaction was rolled back before its end, by an error or after ${TRANSACTION_LIMIT_MS} ms`,
}

function isRead(request: Request): request is QueryRequest {
  return request.kind === 'query' && !request.writes
}

function done(id: number): Answer {
  return { id, rows: [], changes: undefined }
}

function allFailed(group: QueryRequest[], failure: Failure): Answer[] {
  return group.map(({ id }) => ({ id, failure }))
}
