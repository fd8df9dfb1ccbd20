import type { Kysely } from 'kysely'
import { stateColumns } from './command-changes.ts'
import { fromColumn } from './json-column.ts'
import { type Page, type PageRequest, rowsToRead, startAfter, toPage } from './pages.ts'
import type { CommandRow, CommandStatus, Json, Schema, Scope } from './schema.ts'

type JsonColumns = 'parameters' | 'instanceIds' | 'targets' | 'settings'
type LargeColumns = 'documentContent' | 'boundParameters'

/** A command without what only its nodes need. */
export type CommandSummary = Omit<CommandRow, JsonColumns | LargeColumns> & {
  parameters: Json
  instanceIds: string[]
  targets: Json[]
  settings: Json
}

export type Command = CommandSummary & Record<LargeColumns, Json>

/** All must hold. Times are epoch milliseconds of the request, and exclusive. */
export type CommandFilters = {
  commandId?: string
  /** It was sent to this node, among others. */
  nodeId?: string
  after?: number
  before?: number
  statuses?: readonly CommandStatus[]
  details?: string
  documentName?: string
}

const summaryColumns = [
  ...stateColumns,
  'accountId',
  'region',
  'documentName',
  'documentVersion',
  'parameters',
  'instanceIds',
  'targets',
  'comment',
  'ownerArn',
  'expiresAt',
  'maxConcurrency',
  'maxErrors',
] as const

/** Commands, for those who want to know of them; what changes them is in command-changes.ts. */
export function commandsIn(db: Kysely<Schema>) {
  const rows = (scope: Scope) =>
    db
      .selectFrom('commands')
      .where('commands.accountId', '=', scope.accountId)
      .where('commands.region', '=', scope.region)

  return {
    async get(scope: Scope, commandId: string): Promise<Command | undefined> {
      const row = await rows(scope).selectAll().where('commandId', '=', commandId).executeTakeFirst()
      return row && toCommand(row)
    },

    /** Without the document, which may be long. */
    async summary(scope: Scope, commandId: string): Promise<CommandSummary | undefined> {
      const row = await rows(scope)
        .select(summaryColumns)
        .where('commandId', '=', commandId)
        .executeTakeFirst()
      return row && toSummary(row)
    },

    /** Newest first. */
    async list(scope: Scope, page: PageRequest, filters: CommandFilters): Promise<Page<CommandSummary>> {
      const { commandId, nodeId, after, before, statuses, details, documentName } = filters
      const start = startAfter('commands', page, ['number', 'string'])
      let query = rows(scope).select(summaryColumns)
      if (commandId !== undefined) query = query.where('commandId', '=', commandId)
      if (after !== undefined) query = query.where('requestedAt', '>', after)
      if (before !== undefined) query = query.where('requestedAt', '<', before)
      if (statuses !== undefined) query = query.where('status', 'in', statuses)
      if (details !== undefined) query = query.where('details', '=', details)
      if (documentName !== undefined) query = query.where('documentName', '=', documentName)
      if (nodeId !== undefined) {
        query = query.where(({ exists, selectFrom }) =>
          exists(
            selectFrom('invocations')
              .select('invocations.nodeId')
              .where('invocations.accountId', '=', scope.accountId)
              .where('invocations.region', '=', scope.region)
              .whereRef('invocations.commandId', '=', 'commands.commandId')
              .where('invocations.nodeId', '=', nodeId),
          ),
        )
      }
      if (start) {
        const [requestedAt, lastId] = start
        query = query.where(({ eb, and, or }) =>
          or([
            eb('requestedAt', '<', requestedAt),
            and([eb('requestedAt', '=', requestedAt), eb('commandId', '<', lastId)]),
          ]),
        )
      }
      const found = await query
        .orderBy('requestedAt', 'desc')
        .orderBy('commandId', 'desc')
        .limit(rowsToRead(page))
        .execute()
      return toPage('commands', page, found.map(toSummary), last => [last.requestedAt, last.commandId])
    },
  }
}

export function toSummary(row: Omit<CommandRow, LargeColumns>): CommandSummary {
  return {
    ...row,
    parameters: fromColumn(row.parameters),
    instanceIds: fromColumn<string[]>(row.instanceIds),
    targets: fromColumn<Json[]>(row.targets),
    settings: fromColumn(row.settings),
  }
}

export function toCommand(row: CommandRow): Command {
  return {
    ...row,
    ...toSummary(row),
    documentContent: fromColumn(row.documentContent),
    boundParameters: fromColumn(row.boundParameters),
  }
}
