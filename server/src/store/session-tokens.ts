import type { Kysely } from 'kysely'
import { inTransaction } from './in-transaction.ts'
import { toColumn } from './json-column.ts'
import type { Json, Schema, Scope, SessionStatus } from './schema.ts'
import { sessionsIn } from './sessions.ts'

/** `used` is told apart, because stock plugins open a data channel again with the same token (data-plane.md 9.4). */
export type TokenUse =
  | { accepted: true }
  | { accepted: false; reason: 'unknown-session' | 'ended' | 'wrong' | 'expired' | 'used' }

const ended: readonly SessionStatus[] = ['Terminated', 'Failed']

/** The token that a client opens its data channel with. A session has one at a time; only its hash is stored. */
export function sessionTokensIn(db: Kysely<Schema>) {
  const refusal = async (scope: Scope, sessionId: string, hash: string, now: number): Promise<TokenUse> => {
    const session = await db
      .selectFrom('sessions')
      .select(['status', 'clientTokenHash', 'clientTokenExpiresAt'])
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)
      .where('sessionId', '=', sessionId)
      .executeTakeFirst()
    if (!session) return { accepted: false, reason: 'unknown-session' }
    if (session.clientTokenHash !== hash) return { accepted: false, reason: 'wrong' }
    if (ended.includes(session.status)) return { accepted: false, reason: 'ended' }
    const expired = (session.clientTokenExpiresAt ?? 0) <= now
    return { accepted: false, reason: expired ? 'expired' : 'used' }
  }

  return {
    /**
     * Replaces the token of a session that has not ended; the former one is worthless from then on. `authority` makes
     * what the session hangs on from then on out of what it hung on: of two at once none forgets the other.
     */
    setClientToken(
      scope: Scope,
      sessionId: string,
      token: { hash: string; expiresAt: number; authority?: (before: Json) => Json },
    ): Promise<boolean> {
      const { hash, expiresAt, authority } = token
      return inTransaction(db, async transaction => {
        const { numUpdatedRows } = await update(transaction, scope, sessionId)
          .set({ clientTokenHash: hash, clientTokenExpiresAt: expiresAt, clientTokenUsedAt: null })
          .executeTakeFirst()
        if (numUpdatedRows === 0n) return false
        const session = authority && (await sessionsIn(transaction).get(scope, sessionId))
        // Null: it is older than such records.
        if (authority && session && session.authority !== null) {
          const changed = toColumn(authority(session.authority))
          await update(transaction, scope, sessionId).set({ authority: changed }).execute()
        }
        return true
      })
    },

    /** Accepts a token once. Atomic: of two that come with the same token one is accepted. */
    async useClientToken(scope: Scope, sessionId: string, hash: string, now: number): Promise<TokenUse> {
      const { numUpdatedRows } = await update(db, scope, sessionId)
        .set({ clientTokenUsedAt: now })
        .where('clientTokenHash', '=', hash)
        .where('clientTokenUsedAt', 'is', null)
        .where('clientTokenExpiresAt', '>', now)
        .executeTakeFirst()
      return numUpdatedRows > 0n ? { accepted: true } : refusal(scope, sessionId, hash, now)
    },
  }
}

function update(db: Kysely<Schema>, scope: Scope, sessionId: string) {
  return db
    .updateTable('sessions')
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
    .where('sessionId', '=', sessionId)
    .where('status', 'not in', ended)
}
