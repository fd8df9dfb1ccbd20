import type { Kysely } from 'kysely'
import type { Schema, Scope } from './schema.ts'

/** Rows that are deleted at once. */
const ROWS_AT_ONCE = 500

/** Old commands, and what nobody can see any more. */
export function commandRemovalIn(db: Kysely<Schema>) {
  /** Answers whether there may be more. */
  const removeSome = async (
    table: 'stepResults' | 'invocations',
    { accountId, region }: Scope,
    id: string,
  ) => {
    const nodes = await db
      .selectFrom(table)
      .select('nodeId')
      .where('accountId', '=', accountId)
      .where('region', '=', region)
      .where('commandId', '=', id)
      .limit(ROWS_AT_ONCE)
      .execute()
    if (nodes.length === 0) return false
    await db
      .deleteFrom(table)
      .where('accountId', '=', accountId)
      .where('region', '=', region)
      .where('commandId', '=', id)
      .where(
        'nodeId',
        'in',
        nodes.map(({ nodeId }) => nodeId),
      )
      .execute()
    return true
  }

  return {
    /** Some of those that were sent before and have ended, oldest first. */
    async endedBefore(scope: Scope, requestedBefore: number, limit: number): Promise<string[]> {
      const rows = await db
        .selectFrom('commands')
        .select('commandId')
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .where('requestedAt', '<', requestedBefore)
        .where('endedAt', 'is not', null)
        .orderBy('requestedAt')
        .limit(limit)
        .execute()
      return rows.map(row => row.commandId)
    },

    /** With its invocations and what they did. The command goes last, so that an interrupted removal is repeated. */
    async remove(scope: Scope, commandId: string): Promise<void> {
      while (await removeSome('stepResults', scope, commandId));
      while (await removeSome('invocations', scope, commandId));
      await db
        .deleteFrom('commands')
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .where('commandId', '=', commandId)
        .execute()
    },
  }
}
