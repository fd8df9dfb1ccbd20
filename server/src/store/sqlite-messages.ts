import type { StoreErrorCode } from './errors.ts'

/** What SQLite can bind. */
export type SqliteValue = null | number | bigint | string | Uint8Array

/** What the driver asks of the database thread. Requests travel in arrays, so that one turn is one message. */
export type Request =
  | QueryRequest
  | { id: number; kind: 'begin'; transaction: number; readersMayPass: boolean }
  | { id: number; kind: 'commit' | 'rollback'; transaction: number }
  | { id: number; kind: 'commits' | 'close' }

export type QueryRequest = {
  id: number
  kind: 'query'
  sql: string
  parameters: SqliteValue[]
  /** Whether the statement may change something; a statement of which that is not known counts as one that does. */
  writes: boolean
  /** The interactive transaction that the statement belongs to. */
  transaction: number | undefined
}

export type Failure = { code: StoreErrorCode; message: string }
export type Answer =
  | { id: number; rows: Record<string, unknown>[]; changes: number | undefined }
  | { id: number; failure: Failure }

/** The id under which the thread answers once, when the database is open. */
export const OPENED = 0
