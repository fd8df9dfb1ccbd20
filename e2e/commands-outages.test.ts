import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Fleet } from './fleet.ts'
import { type Stack, startStack } from './stack.ts'

/** `npm run soak` takes its time. */
const soak = process.env.SALLYPORT_TEST_SOAK !== undefined
const NODES = soak ? 500 : 150
const KILLS = soak ? 20 : 6
/** How long each node takes on average: long enough that all kills are in the middle. */
const RUN_MS = 1_500

let stack: Stack
let fleet: Fleet

beforeAll(async () => {
  stack = await startStack({ nodes: 0 })
  fleet = new Fleet(stack, { tag: 'Key=fleet,Value=all', runMs: RUN_MS })
  await fleet.open(NODES)
}, 180_000)

afterAll(async () => {
  await fleet[Symbol.asyncDispose]()
  await stack[Symbol.asyncDispose]()
})

test(`a command on ${NODES} nodes survives ${KILLS} crashes of the server: each runs it once, every result is there`, async () => {
  const { Command } = await stack.api(
    'send-command',
    ...['--document-name', 'AWS-RunShellScript', '--parameters', 'commands=["hostname"]'],
    ...['--targets', 'Key=tag:fleet,Values=all', '--max-concurrency', '15', '--timeout-seconds', '600'],
  )
  expect(Command.TargetCount).toBe(NODES)

  const completed: number[] = []
  for (let kill = 0; kill < KILLS; kill++) {
    completed.push(await progress(Command.CommandId, completed.at(-1) ?? 0))
    await stack.server.kill('SIGKILL')
    await stack.startServer()
  }
  // It was under way all the time, and what had ended once had ended for good.
  expect(completed).toEqual([...completed].sort((a, b) => a - b))
  expect(completed.at(-1)).toBeLessThan(NODES)

  await stack.api('list-commands', '--command-id', Command.CommandId)
  const ended = await untilEnded(Command.CommandId)
  expect(ended).toMatchObject({ Status: 'Success', TargetCount: NODES, CompletedCount: NODES, ErrorCount: 0 })
  expect((await fleet.ran(Command.CommandId)).times).toEqual({ 1: NODES })
  const outputs = await outputsOf(Command.CommandId)
  expect(outputs.size).toBe(NODES)
  expect(fleet.ids.filter(id => outputs.get(id) !== `${id}\n`)).toEqual([])
}, 400_000)

/** How many have ended, once more have than before. */
async function progress(commandId: string, before: number): Promise<number> {
  for (;;) {
    const { Commands } = await stack.ask('ListCommands', { CommandId: commandId })
    await sleep(20)
    if (Commands[0].CompletedCount > before) return Commands[0].CompletedCount
  }
}

async function untilEnded(commandId: string): Promise<object> {
  for (;;) {
    const { Commands } = await stack.ask('ListCommands', { CommandId: commandId })
    await sleep(20)
    if (!['Pending', 'InProgress'].includes(Commands[0].Status)) return Commands[0]
  }
}

async function outputsOf(commandId: string): Promise<Map<string, string>> {
  const { CommandInvocations } = await stack.api(
    'list-command-invocations',
    ...['--command-id', commandId, '--details'],
  )
  return new Map(
    CommandInvocations.map(({ InstanceId, CommandPlugins }: Invocation) => [
      InstanceId,
      CommandPlugins[0]?.Output ?? '',
    ]),
  )
}

type Invocation = { InstanceId: string; CommandPlugins: Array<{ Output: string }> }
