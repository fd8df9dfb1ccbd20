import type { Kysely } from 'kysely'
import type { Schema, Scope, StepResultRow } from './schema.ts'

/** Of the many at once that a query may name. */
const NODES_AT_ONCE = 500

export function stepResultsIn(db: Kysely<Schema>) {
  const ofNodes = ({ accountId, region }: Scope, commandId: string, nodeIds: readonly string[]) =>
    db
      .selectFrom('stepResults')
      .where('accountId', '=', accountId)
      .where('region', '=', region)
      .where('commandId', '=', commandId)
      .where('nodeId', 'in', nodeIds)
      .orderBy('nodeId')
      // Left to themselves SQLite puts nulls first, and PostgreSQL last.
      .orderBy('startedAt', order => order.asc().nullsFirst())
      .orderBy('stepName')

  return {
    /** What these nodes did, by node, and in the order in which the steps began. */
    of(scope: Scope, commandId: string, nodeIds: readonly string[]): Promise<StepResultRow[]> {
      return inPieces(nodeIds, some => ofNodes(scope, commandId, some).selectAll().execute())
    },

    /** The same without what the steps wrote. */
    codes(
      scope: Scope,
      commandId: string,
      nodeIds: readonly string[],
    ): Promise<Array<Pick<StepResultRow, 'nodeId' | 'status' | 'code'>>> {
      return inPieces(nodeIds, some =>
        ofNodes(scope, commandId, some).select(['nodeId', 'status', 'code']).execute(),
      )
    },
  }
}

async function inPieces<T>(
  nodeIds: readonly string[],
  find: (some: readonly string[]) => Promise<T[]>,
): Promise<T[]> {
  const found: T[] = []
  for (let from = 0; from < nodeIds.length; from += NODES_AT_ONCE) {
    found.push(...(await find(nodeIds.slice(from, from + NODES_AT_ONCE))))
  }
  return found
}
