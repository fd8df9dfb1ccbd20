import { DatabaseSync, type DatabaseSyncInstance, type StatementSyncInstance } from '@photostructure/sqlite'
import type { StoreErrorCode } from './errors.ts'
import type { Answer, Failure, QueryRequest } from './sqlite-messages.ts'

/** How many prepared statements are kept. */
const MAX_STATEMENTS = 500
const BUSY_TIMEOUT_MS = 5_000

type Statement = { prepared: StatementSyncInstance; returnsRows: boolean }

/** A connection to a database file, with the statements that it has prepared. */
export class SqliteConnection {
  readonly #database: DatabaseSyncInstance
  readonly #statements = new Map<string, Statement>()

  constructor(path: string, { readOnly = false }: { readOnly?: boolean } = {}) {
    const options = { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true, readOnly }
    this.#database = new DatabaseSync(path, options)
  }

  get isTransaction(): boolean {
    return this.#database.isTransaction
  }

  /** Throws what SQLite throws. */
  exec(sql: string): void {
    this.#database.exec(sql)
  }

  /** Never throws. */
  execute({ id, sql, parameters }: QueryRequest): Answer {
    try {
      const { prepared, returnsRows } = this.#statement(sql)
      if (returnsRows) return { id, rows: prepared.all(...parameters), changes: undefined }
      return { id, rows: [], changes: prepared.run(...parameters).changes }
    } catch (error) {
      return { id, failure: failureOf(error) }
    }
  }

  close(): void {
    this.#statements.clear()
    this.#database.close()
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
