import type { Kysely } from 'kysely'
import { toColumn } from './json-column.ts'
import type { Json, Schema, Scope, SessionStatus } from './schema.ts'

/** `used` is told apart, because stock plugins open a data channel again with the same token (data-plane.md 9.4). */
export type TokenUse =
  | { accepted: true }
  | { accepted: false; reason: 'unknown-session' | 'ended' | 'wrong' | 'expired' | 'used' }

const ended: readonly SessionStatus[] = ['Terminated', 'Failed']

/** The token that a client opens its data channel with. A session has one at a time; only its hash is stored. */
export function sessionTokensIn(db: Kysely<Schema>) {
  const update = (scope: Scope, sessionId: string) =>
    db
      .updateTable('sessions')
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)
      .where('sessionId', '=', sessionId)
      .where('status', 'not in', ended)

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
     * Replaces the token of a session that has not ended; the former one is worthless from then on. `authority` is what
     * the session hangs on from then on; as before unless given.
     */
    async setClientToken(
      scope: Scope,
      sessionId: string,
      token: { hash: string; expiresAt: number; authority?: Json | undefined },
    ): Promise<boolean> {
      const { hash, expiresAt, authority } = token
      const { numUpdatedRows } = await update(scope, sessionId)
        .set({
          clientTokenHash: hash,
          clientTokenExpiresAt: expiresAt,
          clientTokenUsedAt: null,
          ...(authority !== undefined && { authority: toColumn(authority) }),
        })
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },

    /** Accepts a token once. Atomic: of two that come with the same token one is accepted. */
    async useClientToken(scope: Scope, sessionId: string, hash: string, now: number): Promise<TokenUse> {
      const { numUpdatedRows } = await update(scope, sessionId)
        .set({ clientTokenUsedAt: now })
        .where('clientTokenHash', '=', hash)
        .where('clientTokenUsedAt', 'is', null)
        .where('clientTokenExpiresAt', '>', now)
        .executeTakeFirst()
      return numUpdatedRows > 0n ? { accepted: true } : refusal(scope, sessionId, hash, now)
    },
  }
}
