import type { Kysely } from 'kysely'
import type { Schema, Scope, SessionRow } from './schema.ts'
import { sessionStatuses } from './session-filters.ts'

/** How many sessions may be live at once on one node, and of one owner. */
export type SessionQuotas = { perNode: number; perOwner: number }

/** A session was not stored, because there are as many already as may be. */
export class SessionQuotaError extends Error {
  override readonly name = 'SessionQuotaError'
  readonly quota: keyof SessionQuotas

  constructor(quota: keyof SessionQuotas) {
    super(`the session would be one more than ${quota} allows`)
    this.quota = quota
  }
}

/**
 * Inside the transaction that inserts the session: transactions that write exclude each other in SQLite, so that of
 * two at the same time the second counts the first.
 */
export async function enforceQuotas(
  transaction: Kysely<Schema>,
  { accountId, region }: Scope,
  session: Pick<SessionRow, 'nodeId' | 'ownerUserId'>,
  quotas: SessionQuotas,
): Promise<void> {
  const live = async (column: 'nodeId' | 'ownerUserId') => {
    const { sessions } = await transaction
      .selectFrom('sessions')
      .select(({ fn }) => fn.countAll().as('sessions'))
      .where('accountId', '=', accountId)
      .where('region', '=', region)
      .where(column, '=', session[column])
      .where('status', 'in', sessionStatuses.Active)
      .executeTakeFirstOrThrow()
    return Number(sessions)
  }
  if ((await live('nodeId')) >= quotas.perNode) throw new SessionQuotaError('perNode')
  if ((await live('ownerUserId')) >= quotas.perOwner) throw new SessionQuotaError('perOwner')
}
