import { type Kysely, sql } from 'kysely'
import type { CommandRow, InvocationRow, Schema, Scope } from './schema.ts'

export type OwedInvocation = Pick<InvocationRow, 'commandId' | 'nodeId'> & { owed: 'command' | 'cancel' }

/** `sentSince`: a command that was sent before is not owed any more, but to agents of the name `remembering`. */
type OwedLimits = { now: number; limit: number; sentSince: number; remembering: string }

export type CommandContents = Pick<
  CommandRow,
  'commandId' | 'documentName' | 'documentContent' | 'boundParameters' | 'settings'
>

/** What nodes are to be told. */
export function owedJobsIn(db: Kysely<Schema>) {
  return {
    /** What is owed to these nodes now, of each the oldest commands first, at most `limit`. */
    async owed(
      { accountId, region }: Scope,
      nodeIds: readonly string[],
      { now, limit, sentSince, remembering }: OwedLimits,
    ): Promise<OwedInvocation[]> {
      const found = db
        .selectFrom('invocations')
        .innerJoin('commands', join =>
          join
            .onRef('commands.accountId', '=', 'invocations.accountId')
            .onRef('commands.region', '=', 'invocations.region')
            .onRef('commands.commandId', '=', 'invocations.commandId'),
        )
        .leftJoin('nodes', join =>
          join
            .onRef('nodes.accountId', '=', 'invocations.accountId')
            .onRef('nodes.region', '=', 'invocations.region')
            .onRef('nodes.nodeId', '=', 'invocations.nodeId'),
        )
        .select(['invocations.commandId', 'invocations.nodeId'])
        .select(eb => [
          eb.ref('invocations.owed').$notNull().as('owed'),
          eb.fn
            .agg<number>('row_number')
            .over(over =>
              over
                .partitionBy('invocations.nodeId')
                .orderBy('commands.requestedAt')
                .orderBy('commands.commandId'),
            )
            .as('place'),
        ])
        .where('invocations.accountId', '=', accountId)
        .where('invocations.region', '=', region)
        .where('invocations.nodeId', 'in', nodeIds)
        .where('invocations.owed', 'is not', null)
        .where(eb => eb.or([eb('invocations.notBefore', 'is', null), eb('invocations.notBefore', '<=', now)]))
        .where(eb =>
          eb.or([
            eb('invocations.owed', '!=', 'command'),
            eb('invocations.sentAt', 'is', null),
            eb('invocations.sentAt', '>=', sentSince),
            eb('nodes.agentName', '=', remembering),
          ]),
        )
      return await db
        .selectFrom(found.as('found'))
        .select(['commandId', 'nodeId', 'owed'])
        .where('place', '<=', limit)
        .orderBy(sql.ref('place'))
        .execute()
    },

    /** What the nodes get, which never changes. */
    async contents({ accountId, region }: Scope, commandIds: readonly string[]): Promise<CommandContents[]> {
      if (commandIds.length === 0) return []
      return await db
        .selectFrom('commands')
        .select(['commandId', 'documentName', 'documentContent', 'boundParameters', 'settings'])
        .where('accountId', '=', accountId)
        .where('region', '=', region)
        .where('commandId', 'in', commandIds)
        .execute()
    },
  }
}
