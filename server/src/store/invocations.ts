import type { Kysely } from 'kysely'
import { fromColumn } from './json-column.ts'
import { type Page, type PageRequest, rowsToRead, startAfter, toPage } from './pages.ts'
import type { CommandRow, InvocationRow, InvocationStatus, Json, Schema, Scope } from './schema.ts'

const commandColumns = [
  'documentName',
  'documentVersion',
  'comment',
  'requestedAt',
  'timeoutSeconds',
  'executionMs',
  'expiresAt',
  'ownerArn',
  'settings',
] as const

type CommandColumns = Exclude<(typeof commandColumns)[number], 'settings'>

/** An invocation with what listings show of its command. */
export type Invocation = InvocationRow & Pick<CommandRow, CommandColumns> & { settings: Json }

/** All must hold. Times are epoch milliseconds of the command's request, and exclusive. */
export type InvocationFilters = {
  commandId?: string
  nodeId?: string
  after?: number
  before?: number
  statuses?: readonly InvocationStatus[]
  details?: string
  documentName?: string
}

export type InvocationCount = { status: InvocationStatus; details: string; count: number }

/** Invocations, for those who want to know of them. Those of a command that is not stored yet are not there. */
export function invocationsIn(db: Kysely<Schema>) {
  const joined = (scope: Scope) =>
    db
      .selectFrom('invocations')
      .innerJoin('commands', join =>
        join
          .onRef('commands.accountId', '=', 'invocations.accountId')
          .onRef('commands.region', '=', 'invocations.region')
          .onRef('commands.commandId', '=', 'invocations.commandId'),
      )
      .selectAll('invocations')
      .select(commandColumns.map(column => `commands.${column}` as const))
      .where('invocations.accountId', '=', scope.accountId)
      .where('invocations.region', '=', scope.region)
      .where('commands.accountId', '=', scope.accountId)
      .where('commands.region', '=', scope.region)

  const ofCommand = (scope: Scope, commandId: string) =>
    db
      .selectFrom('invocations')
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)
      .where('commandId', '=', commandId)

  return {
    async get(scope: Scope, commandId: string, nodeId: string): Promise<Invocation | undefined> {
      const row = await joined(scope)
        .where('invocations.commandId', '=', commandId)
        .where('invocations.nodeId', '=', nodeId)
        .executeTakeFirst()
      return row && toInvocation(row)
    },

    /** By command, newest first; of one command in the order of its targets. */
    async list(scope: Scope, page: PageRequest, filters: InvocationFilters): Promise<Page<Invocation>> {
      const { commandId, nodeId, after, before, statuses, details, documentName } = filters
      const start = startAfter('invocations', page, ['number', 'string', 'string'])
      // Said in any case: SQLite goes through the commands by time then, up to the end of the page. Otherwise it sorts all
      // the invocations that there are.
      let query = joined(scope).where('commands.requestedAt', '>', after ?? -1)
      if (commandId !== undefined) query = query.where('invocations.commandId', '=', commandId)
      if (nodeId !== undefined) query = query.where('invocations.nodeId', '=', nodeId)
      if (before !== undefined) query = query.where('commands.requestedAt', '<', before)
      if (statuses !== undefined) query = query.where('invocations.status', 'in', statuses)
      if (details !== undefined) query = query.where('invocations.details', '=', details)
      if (documentName !== undefined) query = query.where('commands.documentName', '=', documentName)
      if (start) {
        const [requestedAt, lastCommand, lastNode] = start
        query = query.where(({ eb, and, or }) =>
          or([
            eb('commands.requestedAt', '<', requestedAt),
            and([
              eb('commands.requestedAt', '=', requestedAt),
              or([
                eb('invocations.commandId', '<', lastCommand),
                and([eb('invocations.commandId', '=', lastCommand), eb('invocations.nodeId', '>', lastNode)]),
              ]),
            ]),
          ]),
        )
      }
      const found = await query
        .orderBy('commands.requestedAt', 'desc')
        .orderBy('invocations.commandId', 'desc')
        .orderBy('invocations.nodeId')
        .limit(rowsToRead(page))
        .execute()
      const keyOf = ({ requestedAt, commandId, nodeId }: Invocation) => [requestedAt, commandId, nodeId]
      return toPage('invocations', page, found.map(toInvocation), keyOf)
    },

    /** What changed after `revision`, in the order in which it did; each invocation with its last change only. */
    changedSince(scope: Scope, commandId: string, revision: number, limit: number): Promise<InvocationRow[]> {
      return ofCommand(scope, commandId)
        .selectAll()
        .where('revision', '>', revision)
        .orderBy('revision')
        .limit(limit)
        .execute()
    },

    async counts(scope: Scope, commandId: string): Promise<InvocationCount[]> {
      const rows = await ofCommand(scope, commandId)
        .select(({ fn }) => ['status', 'details', fn.countAll<number>().as('count')])
        .groupBy(['status', 'details'])
        .orderBy('status')
        .orderBy('details')
        .execute()
      return rows.map(row => ({ ...row, count: Number(row.count) }))
    },
  }
}

function toInvocation(row: InvocationRow & Pick<CommandRow, CommandColumns | 'settings'>): Invocation {
  return { ...row, settings: fromColumn(row.settings) }
}
