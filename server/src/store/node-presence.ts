import type { Kysely } from 'kysely'
import type { Schema, Scope } from './schema.ts'

/** One control channel. Of two epochs of a node the greater is the newer connection. */
export type ConnectionEpoch = { epoch: number; now: number }

/**
 * Whether nodes are connected. Reports arrive in any order, from any server: one of an older connection never
 * changes what a newer one wrote.
 */
export function nodePresenceIn(db: Kysely<Schema>) {
  const update = (scope: Scope) =>
    db.updateTable('nodes').where('accountId', '=', scope.accountId).where('region', '=', scope.region)

  return {
    /** False when the node is deregistered or unknown, or this epoch is not newer than the last one. */
    async setConnected(
      scope: Scope,
      nodeId: string,
      { epoch, server, now }: ConnectionEpoch & { server: string },
    ): Promise<boolean> {
      const { numUpdatedRows } = await update(scope)
        .set({ connected: 1, connectionEpoch: epoch, connectionServer: server, connectedAt: now })
        .where('nodeId', '=', nodeId)
        .where('connectionEpoch', '<', epoch)
        .where('deregisteredAt', 'is', null)
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },

    /** False when a newer connection exists, or the node was offline already. */
    async setDisconnected(scope: Scope, nodeId: string, { epoch, now }: ConnectionEpoch): Promise<boolean> {
      const { numUpdatedRows } = await update(scope)
        // The epoch is kept also where its own `connected` has not arrived, which is then too late.
        .set({ connected: 0, connectionEpoch: epoch, disconnectedAt: now })
        .where('nodeId', '=', nodeId)
        .where(({ eb, and, or }) =>
          or([
            eb('connectionEpoch', '<', epoch),
            and([eb('connectionEpoch', '=', epoch), eb('connected', '=', 1)]),
          ]),
        )
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },

    /** What a server does at its start for the connections of its former life. Answers how many there were. */
    async markAllDisconnected(scope: Scope, server: string, now: number): Promise<number> {
      const { numUpdatedRows } = await update(scope)
        .set({ connected: 0, disconnectedAt: now })
        .where('connectionServer', '=', server)
        .where('connected', '=', 1)
        .executeTakeFirst()
      return Number(numUpdatedRows)
    },
  }
}
