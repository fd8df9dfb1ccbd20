import type { Command, CommandInvocation, CommandPlugin } from '@sallyport/protocol/api/ssm-commands'
import type { CommandContext } from '../context.ts'
import { CliError, EXIT } from '../errors.ts'
import { inert, inertJson } from '../inert.ts'
import { resolveNode } from '../nodes.ts'
import { listAll } from '../pages.ts'
import { findCommand, purposeOf } from '../run/find-command.ts'
import { isEnded } from '../run/invocations.ts'
import { notSentTo } from '../run/node-output.ts'
import { formatElapsed } from '../run/progress.ts'
import { Screen, type ScreenOptions } from '../run/screen.ts'
import { groupedSink } from '../run/sinks.ts'
import { statusFilter } from '../run/statuses.ts'
import type { SettingsOptions } from '../settings.ts'
import { formatAge, formatTable } from '../table.ts'
import { commandOf, printOutput } from './command.ts'

export type ShowOptions = SettingsOptions & {
  node?: string
  step?: string
  status?: string
  output?: boolean
  json?: boolean
}

const PAGE = 50
/** For people; programs get them all. */
const MAX_SHOWN = 500
const MAX_NODES = 20_000
const NODE_HEAD = ['NODE', 'NAME', 'STATUS', 'CODE', 'DURATION']
const STEP_HEAD = ['STEP', 'STATUS', 'CODE', 'DURATION']

/** `sallyport command show`: a command, and what became of it on each node. */
export const showCommand = async (
  given: string,
  options: ShowOptions,
  context: CommandContext,
  streams?: ScreenOptions,
): Promise<number> => {
  const filters = statusFilter(options.status)
  const { client } = await context.connect(options)
  const id = await findCommand(client, given)
  const node = options.node === undefined ? undefined : await resolveNode(client, options.node)
  const input = { CommandId: id, Details: true, MaxResults: PAGE, ...filters }
  const [command, { items, truncated }] = await Promise.all([
    commandOf(client, id),
    listAll<CommandInvocation>(
      client,
      'ListCommandInvocations',
      node === undefined ? input : { ...input, InstanceId: node },
      'CommandInvocations',
      options.json ? MAX_NODES : MAX_SHOWN,
    ),
  ])
  if (node !== undefined && items.length === 0) {
    throw new CliError(notSentTo(id, inert(options.node)))
  }
  if (options.json) context.out(`${inertJson({ Command: command, CommandInvocations: items })}\n`)
  else context.out(await describe(command, items, context))
  if (items.length === 0 && options.status !== undefined && !options.json)
    context.err(`No node of it is ${Object(filters.Filters?.[0]).value}.\n`)
  if (truncated)
    context.err(`Only ${items.length} nodes are shown. All of them: --json; some of them: --status\n`)
  if (options.output && !options.json) await showOutputs(items)
  return EXIT.ok

  async function showOutputs(shown: readonly CommandInvocation[]): Promise<void> {
    const screen = new Screen(streams)
    const sink = groupedSink(screen)
    const step = options.step === undefined ? {} : { step: options.step }
    if (shown.length > 0) screen.write('stdout', '\n')
    for (const { InstanceId, InstanceName } of shown) {
      const label = inert(InstanceName || InstanceId)
      await printOutput(client, { commandId: id, nodeId: InstanceId, label, screen, sink, ...step }, context)
    }
    screen.close()
  }
}

const describe = async (
  command: Command,
  items: readonly CommandInvocation[],
  context: CommandContext,
): Promise<string> => {
  const rows = items.map(nodeRow)
  const parts = [summary(command, context.now() / 1000), await formatTable(NODE_HEAD, rows)]
  if (items.length === 0) parts.pop()
  const [only, ...others] = items
  const steps = only?.CommandPlugins ?? []
  if (others.length === 0 && steps.length > 1) parts.push(await formatTable(STEP_HEAD, steps.map(stepRow)))
  if (others.length === 0 && only?.TraceOutput) parts.push(`${inert(only.TraceOutput, 2500)}\n`)
  return parts.join('\n')
}

const summary = (command: Command, now: number): string => {
  const { CompletedCount, TargetCount, ErrorCount, DeliveryTimedOutCount } = command
  const failed = ErrorCount + DeliveryTimedOutCount
  const lines = [
    ['Command', command.CommandId],
    ['Status', command.StatusDetails || command.Status],
    ['Document', `${command.DocumentName} (version ${command.DocumentVersion})`],
    ['What', purposeOf(command)],
    ['Targets', targetsOf(command)],
    ['Nodes', `${CompletedCount} of ${TargetCount} done${failed > 0 ? `, ${failed} failed` : ''}`],
    ['Limits', `${command.MaxConcurrency} at a time; ${stopsAfter(command)}`],
    [
      'Started',
      `${new Date(command.RequestedDateTime * 1000).toISOString()} (${formatAge(command.RequestedDateTime, now)} ago)`,
    ],
  ]
  return lines
    .filter(([, value]) => value !== '')
    .map(([name = '', value]) => `${name.padEnd(9)} ${inert(value)}\n`)
    .join('')
}

const stopsAfter = ({ MaxErrors }: Command): string =>
  MaxErrors === '0' ? 'the first failure stops it' : `more than ${MaxErrors} failures stop it`

const targetsOf = ({ Targets }: Command): string =>
  (Targets ?? []).map(({ Key, Values = [] }) => `${Key}=${Values.join(',')}`).join(' and ')

const nodeRow = (invocation: CommandInvocation) => {
  const { InstanceId, InstanceName, Status, StatusDetails, CommandPlugins } = invocation
  const last = deciding(CommandPlugins)
  return [
    InstanceId,
    InstanceName,
    StatusDetails || Status,
    codeOf(last, invocation),
    durationOf(CommandPlugins),
  ]
}

const stepRow = (step: CommandPlugin) => [
  step.Name,
  step.StatusDetails || step.Status,
  codeOf(step, step),
  durationOf([step]),
]

/** The step whose exit status is that of the node: the first that failed, else the last. */
const deciding = (steps: readonly CommandPlugin[]): CommandPlugin | undefined =>
  steps.find(({ Status }) => Status === 'Failed' || Status === 'TimedOut') ?? steps.at(-1)

const codeOf = (step: CommandPlugin | undefined, { Status }: { Status: string }): string =>
  step === undefined || !isEnded({ Status }) || step.ResponseCode < 0 ? '' : String(step.ResponseCode)

const durationOf = (steps: readonly CommandPlugin[]): string => {
  const starts = steps.flatMap(({ ResponseStartDateTime }) => ResponseStartDateTime ?? [])
  const ends = steps.flatMap(({ ResponseFinishDateTime }) => ResponseFinishDateTime ?? [])
  if (starts.length === 0 || ends.length === 0) return ''
  return formatElapsed((Math.max(...ends) - Math.min(...starts)) * 1000)
}
