import type { Kysely } from 'kysely'
import { fromColumn, toColumn } from './json-column.ts'
import { type Page, type PageRequest, rowsToRead, startAfter, toPage } from './pages.ts'
import type { Json, Schema, Scope, SessionRow, SessionStatus } from './schema.ts'
import { applySessionFilters, type SessionFilters, type SessionState } from './session-filters.ts'
import { enforceQuotas, type SessionQuotas } from './session-quotas.ts'
import { insertTask, type NewTask } from './tasks.ts'

type JsonColumns = 'documentContent' | 'parameters' | 'agreed' | 'dataPlane' | 'authority'

export type Session = Omit<SessionRow, JsonColumns> & Record<JsonColumns, Json>

type Required = 'sessionId' | 'nodeId' | 'ownerArn' | 'ownerUserId' | 'documentName' | 'documentVersion'
type Settable =
  | 'reason'
  | 'details'
  | 'idleTimeoutMs'
  | 'maxDurationMs'
  | 'runAsUser'
  | 'dataPlane'
  | 'authority'
  | 'clientTokenHash'
  | 'clientTokenExpiresAt'

/** A session begins as `Connecting`, at `startedAt`. */
export type NewSession = Pick<Session, Required | 'documentContent' | 'parameters' | 'startedAt'> &
  Partial<Pick<Session, Settable>>

/** From which states each state can be reached; nothing leaves `Terminated` or `Failed`. */
const allowedFrom: Readonly<Record<SessionStatus, readonly SessionStatus[]>> = {
  Connecting: [],
  Connected: ['Connecting', 'Disconnected'],
  Disconnected: ['Connecting', 'Connected'],
  Terminating: ['Connecting', 'Connected', 'Disconnected'],
  Terminated: ['Connecting', 'Connected', 'Disconnected', 'Terminating'],
  Failed: ['Connecting', 'Connected', 'Disconnected', 'Terminating'],
}

const atStart = {
  reason: null,
  status: 'Connecting' as const,
  details: null,
  connectedAt: null,
  endedAt: null,
  idleTimeoutMs: null,
  maxDurationMs: null,
  clientTokenHash: null,
  clientTokenExpiresAt: null,
  clientTokenUsedAt: null,
  agreed: null,
  runAsUser: null,
  dataPlane: null,
  authority: null,
}

export function sessionsIn(db: Kysely<Schema>) {
  const rows = (scope: Scope) =>
    db
      .selectFrom('sessions')
      .selectAll()
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)

  const update = (scope: Scope, sessionId: string) =>
    db
      .updateTable('sessions')
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)
      .where('sessionId', '=', sessionId)

  return {
    insert: (scope: Scope, session: NewSession): Promise<Session> => insertSession(db, scope, session),

    /**
     * Both or neither: a session whose node is never told of it would wait for nothing. Rejects with
     * SessionQuotaError if there would be too many.
     */
    insertWithTask(
      scope: Scope,
      session: NewSession,
      task: NewTask,
      quotas?: SessionQuotas,
    ): Promise<Session> {
      return db.transaction().execute(async transaction => {
        if (quotas !== undefined) await enforceQuotas(transaction, scope, session, quotas)
        await insertTask(transaction, scope, task)
        return insertSession(transaction, scope, session)
      })
    },

    async get(scope: Scope, sessionId: string): Promise<Session | undefined> {
      const row = await rows(scope).where('sessionId', '=', sessionId).executeTakeFirst()
      return row && toSession(row)
    },

    /** Newest first. */
    async list(
      scope: Scope,
      state: SessionState,
      filters: SessionFilters,
      page: PageRequest,
    ): Promise<Page<Session>> {
      const after = startAfter('sessions', page, ['number', 'string'])
      let query = applySessionFilters(rows(scope), state, filters)
      if (after) {
        const [startedAt, sessionId] = after
        query = query.where(({ eb, and, or }) =>
          or([
            eb('startedAt', '<', startedAt),
            and([eb('startedAt', '=', startedAt), eb('sessionId', '<', sessionId)]),
          ]),
        )
      }
      const found = await query
        .orderBy('startedAt', 'desc')
        .orderBy('sessionId', 'desc')
        .limit(rowsToRead(page))
        .execute()
      return toPage('sessions', page, found.map(toSession), last => [last.startedAt, last.sessionId])
    },

    /**
     * Moves a session on. False, with nothing changed, when the step is not allowed from where the session is:
     * of several that end a session one is told so, and a session that ended stays ended.
     */
    async setStatus(
      scope: Scope,
      sessionId: string,
      status: SessionStatus,
      { now, details }: { now: number; details?: string },
    ): Promise<boolean> {
      const from = allowedFrom[status]
      if (from.length === 0) return false
      const ends = status === 'Terminated' || status === 'Failed'
      const { numUpdatedRows } = await update(scope, sessionId)
        .set(eb => ({
          status,
          ...(details === undefined ? {} : { details }),
          ...(ends ? { endedAt: now } : {}),
          ...(status === 'Connected' ? { connectedAt: eb.fn.coalesce('connectedAt', eb.val(now)) } : {}),
        }))
        .where('status', 'in', from)
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },

    /** What the two ends agreed in their handshake. False when there is no such session. */
    async setAgreed(scope: Scope, sessionId: string, agreed: Json): Promise<boolean> {
      const { numUpdatedRows } = await update(scope, sessionId)
        .set({ agreed: toColumn(agreed) })
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },

    async setDataPlane(scope: Scope, sessionId: string, dataPlane: Json): Promise<boolean> {
      const { numUpdatedRows } = await update(scope, sessionId)
        .set({ dataPlane: toColumn(dataPlane) })
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },
  }
}

async function insertSession(
  db: Kysely<Schema>,
  { accountId, region }: Scope,
  session: NewSession,
): Promise<Session> {
  const stored: Session = { ...atStart, ...session, accountId, region }
  const { documentContent, parameters, dataPlane, authority } = stored
  await db
    .insertInto('sessions')
    .values({
      ...stored,
      documentContent: toColumn(documentContent),
      parameters: toColumn(parameters),
      agreed: null,
      dataPlane: dataPlane === null ? null : toColumn(dataPlane),
      authority: authority === null ? null : toColumn(authority),
    })
    .execute()
  return stored
}

function toSession(row: SessionRow): Session {
  return {
    ...row,
    documentContent: fromColumn(row.documentContent),
    parameters: fromColumn(row.parameters),
    agreed: row.agreed === null ? null : fromColumn(row.agreed),
    dataPlane: row.dataPlane === null ? null : fromColumn(row.dataPlane),
    authority: row.authority === null ? null : fromColumn(row.authority),
  }
}
