import type { Command } from '@sallyport/protocol/api/ssm-commands'
import type { CommandContext } from '../context.ts'
import { EXIT, usageError } from '../errors.ts'
import { inert, inertJson } from '../inert.ts'
import { resolveNode } from '../nodes.ts'
import { listAll } from '../pages.ts'
import { COMMANDS_PAGE, purposeOf } from '../run/find-command.ts'
import { statusFilter } from '../run/statuses.ts'
import type { SettingsOptions } from '../settings.ts'
import { formatAge, formatTable } from '../table.ts'

export type CommandsOptions = SettingsOptions & {
  status?: string
  node?: string
  limit: string
  json?: boolean
}

const HEAD = ['COMMAND', 'STATUS', 'DOCUMENT', 'NODES', 'ERRORS', 'STARTED', 'WHAT']

/** `sallyport commands`: what was run, the newest first. */
export const commands = async (options: CommandsOptions, context: CommandContext): Promise<number> => {
  const limit = Number(options.limit)
  if (!Number.isInteger(limit) || limit < 1) {
    throw usageError(`--limit is "${inert(options.limit)}": expected a number from 1 on`)
  }
  const filters = statusFilter(options.status)
  const { client } = await context.connect(options)
  const node = options.node === undefined ? undefined : await resolveNode(client, options.node)
  const input = {
    MaxResults: Math.min(limit, COMMANDS_PAGE),
    ...(node === undefined ? {} : { InstanceId: node }),
    ...filters,
  }
  const { items, truncated } = await listAll<Command>(client, 'ListCommands', input, 'Commands', limit)
  if (options.json) context.out(`${inertJson(items)}\n`)
  else if (items.length === 0) context.err(`${nothing(options)}\n`)
  else {
    const now = context.now() / 1000
    context.out(
      await formatTable(
        HEAD,
        items.map(each => row(each, now)),
        fitting(context.columns),
      ),
    )
  }
  if (truncated && !options.json) context.err(`Only the newest ${items.length}; --limit shows more.\n`)
  return EXIT.ok
}

const nothing = ({ node, status }: CommandsOptions): string =>
  node === undefined && status === undefined
    ? 'Nothing was run yet. For example: sallyport run web-1 -- uptime'
    : 'No command was like this.'

/** On a terminal; the beginning of an id is enough to name a command by. */
const fitting = (columns: number | undefined) => {
  if (columns === undefined) return undefined
  const shortened = [
    { column: 0, least: 13 },
    { column: 6, least: 16 },
    { column: 2, least: 14, middle: true },
  ]
  return { columns, shortened }
}

const row = (command: Command, now: number) => [
  command.CommandId,
  command.StatusDetails || command.Status,
  command.DocumentName,
  `${command.CompletedCount}/${command.TargetCount}`,
  command.ErrorCount + command.DeliveryTimedOutCount,
  formatAge(command.RequestedDateTime, now),
  purposeOf(command),
]
