import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  CamelCasePlugin,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  Kysely,
  type QueryResult,
  SelectQueryNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type TransactionSettings,
} from 'kysely'
import { StoreError } from './errors.ts'
import { makePrivateDirectory } from './private-file.ts'
import type { SqliteValue } from './sqlite-messages.ts'
import { openSqliteThread, type SqliteThread } from './sqlite-thread.ts'

export type Sqlite<Schema> = {
  /** Columns are snake_case in SQL and camelCase here. `destroy()` closes the file. */
  db: Kysely<Schema>
  /** How many transactions were committed since the start. */
  commits(): Promise<number>
}

/** Opens the database file at `path` (mode 0600, made when missing) on a thread of its own. */
export async function openSqlite<Schema>(path: string): Promise<Sqlite<Schema>> {
  await makePrivateDirectory(dirname(path))
  // SQLite would make the file readable to others; its -wal and -shm files take the mode of this one.
  await (await open(path, 'a', 0o600)).close()
  const thread = await openSqliteThread(path)
  const db = new Kysely<Schema>({ dialect: dialectOf(thread), plugins: [new CamelCasePlugin()] })
  return { db, commits: () => thread.commits() }
}

function dialectOf(thread: SqliteThread): Dialect {
  return {
    createAdapter: () => new TransactionalDdlAdapter(),
    createDriver: () => new SqliteThreadDriver(thread),
    createIntrospector: db => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

// Kysely's own adapter says no for the sake of pragmas; here a migration that fails half way leaves nothing.
class TransactionalDdlAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

class SqliteThreadDriver implements Driver {
  readonly #thread: SqliteThread

  constructor(thread: SqliteThread) {
    this.#thread = thread
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<ThreadConnection> {
    return new ThreadConnection(this.#thread)
  }

  /**
   * `read committed` is for those who tell nobody of what they write before it is committed: others then read on
   * meanwhile. Otherwise whoever asks after a transaction began has its answer after its end.
   */
  async beginTransaction(connection: ThreadConnection, settings: TransactionSettings): Promise<void> {
    const readersMayPass = settings.isolationLevel === 'read committed'
    connection.transaction = await this.#thread.begin({ readersMayPass })
  }

  async commitTransaction(connection: ThreadConnection): Promise<void> {
    await this.#thread.commit(connection.transactionOrThrow())
  }

  async rollbackTransaction(connection: ThreadConnection): Promise<void> {
    await this.#thread.rollback(connection.transactionOrThrow())
  }

  async releaseConnection(connection: ThreadConnection): Promise<void> {
    connection.transaction = undefined
  }

  destroy(): Promise<void> {
    return this.#thread.close()
  }
}

class ThreadConnection implements DatabaseConnection {
  transaction: number | undefined
  readonly #thread: SqliteThread

  constructor(thread: SqliteThread) {
    this.#thread = thread
  }

  transactionOrThrow(): number {
    if (this.transaction === undefined) throw new StoreError('failed', 'database: no transaction was begun')
    return this.transaction
  }

  async executeQuery<Row>(compiled: CompiledQuery): Promise<QueryResult<Row>> {
    const { rows, changes } = await this.#thread.query({
      sql: compiled.sql,
      parameters: compiled.parameters.map(bindable),
      writes: !SelectQueryNode.is(compiled.query),
      transaction: this.transaction,
    })
    return { rows: rows as Row[], ...(changes === undefined ? {} : { numAffectedRows: BigInt(changes) }) }
  }

  // biome-ignore lint/correctness/useYield: Kysely's interface asks for a generator.
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new StoreError('failed', 'database: rows are read in pages, not as a stream')
  }
}

function bindable(value: unknown): SqliteValue {
  if (value === undefined || value === null) return null
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string') return value
  if (value instanceof Uint8Array) return value
  throw new StoreError('failed', `database: a ${typeof value} cannot be stored; convert it first`)
}
