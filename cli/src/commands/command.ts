import type { ListCommandsOutput } from '@sallyport/protocol/api/ssm-commands'
import type { ApiClient } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { CliError, EXIT } from '../errors.ts'
import { inertLines } from '../inert.ts'
import { resolveNode } from '../nodes.ts'
import { findCommand } from '../run/find-command.ts'
import { isEnded } from '../run/invocations.ts'
import { readOutput, stepsOn } from '../run/node-output.ts'
import { Screen, type ScreenOptions } from '../run/screen.ts'
import { type OutputSink, plainSink } from '../run/sinks.ts'
import type { SettingsOptions } from '../settings.ts'

type OutputOptions = SettingsOptions & { step?: string; follow?: boolean }

const STREAMS = ['stdout', 'stderr'] as const

/** `sallyport command cancel`: on all nodes, or on some. */
export const cancelCommand = async (
  given: string,
  nodes: readonly string[],
  options: SettingsOptions,
  context: CommandContext,
): Promise<number> => {
  const { client } = await context.connect(options)
  const id = await findCommand(client, given)
  const ids: string[] = []
  for (const node of nodes) ids.push(await resolveNode(client, node))
  const before = await commandOf(client, id)
  if (isEnded(before)) {
    context.err(`${id} had ended already: ${before.StatusDetails || before.Status}\n`)
    return EXIT.ok
  }
  await client.call('ssm', 'CancelCommand', {
    CommandId: id,
    ...(ids.length > 0 ? { InstanceIds: [...new Set(ids)] } : {}),
  })
  const where = ids.length === 0 ? '' : ` on ${ids.length === 1 ? 'one node' : `${ids.length} nodes`}`
  context.err(`Cancelling ${id}${where}. What becomes of it: sallyport command show ${id}\n`)
  return EXIT.ok
}

export const commandOf = async (client: ApiClient, id: string) => {
  const answer = (await client.call('ssm', 'ListCommands', { CommandId: id })) as ListCommandsOutput
  const [command] = answer.Commands
  if (command === undefined) throw new CliError(`There is no command "${id}". The newest: sallyport commands`)
  return command
}

/** `sallyport command output`: both streams of one node, whole. */
export const commandOutput = async (
  given: string,
  node: string,
  options: OutputOptions,
  context: CommandContext,
  streams?: ScreenOptions,
): Promise<number> => {
  const { client } = await context.connect(options)
  const commandId = await findCommand(client, given)
  const nodeId = await resolveNode(client, node)
  const screen = new Screen(streams)
  await printOutput(client, { commandId, nodeId, screen, ...options }, context)
  screen.close()
  return EXIT.ok
}

type Printed = {
  commandId: string
  nodeId: string
  label?: string
  screen: Screen
  sink?: OutputSink
  step?: string
  follow?: boolean
}

/** The whole output of a node, step by step. */
export const printOutput = async (
  client: ApiClient,
  { commandId, nodeId, label = nodeId, screen, sink = plainSink(screen), step, follow }: Printed,
  { now }: CommandContext,
): Promise<void> => {
  const onLost = (lost: boolean) =>
    lost && screen.notice(inertLines('sallyport: the server cannot be reached; trying again.'))
  const persistence = { now, wait: sleep, onLost }
  const node = { nodeId, label }
  const steps = step === undefined ? await stepsOn(client, commandId, nodeId) : [step]
  for (const each of steps) {
    const drain = async (stream: (typeof STREAMS)[number]) => {
      const output = { commandId, nodeId, step: each }
      for await (const piece of readOutput(client, output, stream, persistence, follow)) {
        sink.write(node, stream, piece)
        await screen.drained()
      }
    }
    if (follow) await Promise.all(STREAMS.map(drain))
    else for (const stream of STREAMS) await drain(stream)
    sink.end(node)
  }
}

const sleep = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))
