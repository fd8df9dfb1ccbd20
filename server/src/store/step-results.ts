import type { Kysely } from 'kysely'
import type { Schema, Scope, StepResultRow } from './schema.ts'

/** Of the many at once that a query may name. */
const NODES_AT_ONCE = 500

export function stepResultsIn(db: Kysely<Schema>) {
  return {
    /** What these nodes did, by node, and in the order in which the steps began. */
    async of(scope: Scope, commandId: string, nodeIds: readonly string[]): Promise<StepResultRow[]> {
      const found: StepResultRow[] = []
      for (let from = 0; from < nodeIds.length; from += NODES_AT_ONCE) {
        const rows = await db
          .selectFrom('stepResults')
          .selectAll()
          .where('accountId', '=', scope.accountId)
          .where('region', '=', scope.region)
          .where('commandId', '=', commandId)
          .where('nodeId', 'in', nodeIds.slice(from, from + NODES_AT_ONCE))
          .orderBy('nodeId')
          .orderBy('startedAt')
          .orderBy('stepName')
          .execute()
        found.push(...rows)
      }
      return found
    },

    /** The same without what the steps wrote. */
    async codes(
      scope: Scope,
      commandId: string,
      nodeIds: readonly string[],
    ): Promise<Array<Pick<StepResultRow, 'nodeId' | 'status' | 'code'>>> {
      const found: Array<Pick<StepResultRow, 'nodeId' | 'status' | 'code'>> = []
      for (let from = 0; from < nodeIds.length; from += NODES_AT_ONCE) {
        const rows = await db
          .selectFrom('stepResults')
          .select(['nodeId', 'status', 'code'])
          .where('accountId', '=', scope.accountId)
          .where('region', '=', scope.region)
          .where('commandId', '=', commandId)
          .where('nodeId', 'in', nodeIds.slice(from, from + NODES_AT_ONCE))
          .orderBy('nodeId')
          .orderBy('startedAt')
          .orderBy('stepName')
          .execute()
        found.push(...rows)
      }
      return found
    },
  }
}
