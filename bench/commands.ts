import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiClient } from '@sallyport/cli/client'
import { Fleet } from '../e2e/fleet.ts'
import { type Stack, startStack } from '../e2e/stack.ts'
import { COLLECT_ON_SIGNAL, memoryOf } from './memory-of.ts'
import { apiClient } from './own-client.ts'
import { openStack, type Peers } from './peers.ts'
import { figure, median, percentile, printTable } from './table.ts'

const SINGLE_RUNS = 50
const WARM_UP = 5
const FLEETS = [1_000, 10_000]
const FLEET_RUNS = 5
const FLEET_TAG = 'Key=bench,Value=fleet'
/** What others ask for meanwhile, once in so many milliseconds. */
const OTHERS_EVERY_MS = 20
const WAIT_SECONDS = 20
const KIB_PER_MIB = 1024

type Watched = { Command: { Status: string; CompletedCount: number }; Revision: number }

/** From SendCommand to the end of a command: `true` on one node with our agent, and many simulated nodes. */
export async function benchCommands({ account }: Peers): Promise<void> {
  {
    await using fresh = await openStack(account)
    await benchOne(fresh)
  }
  await using stack = await startStack({ nodes: 0, serverEnv: { NODE_OPTIONS: COLLECT_ON_SIGNAL } })
  await using fleet = new Fleet(stack, { tag: FLEET_TAG })
  for (const count of FLEETS) {
    await fleet.open(count)
    await benchFleet(stack, fleet, count)
  }
}

async function benchOne(stack: Stack): Promise<void> {
  const client = apiClient(stack)
  const answered: number[] = []
  const ended: number[] = []
  for (let run = 0; run < WARM_UP + SINGLE_RUNS; run++) {
    const began = performance.now()
    const commandId = await send(client, { InstanceIds: [stack.node.id] })
    const afterAnswer = performance.now() - began
    await untilEnded(client, commandId)
    if (run < WARM_UP) continue
    answered.push(afterAnswer)
    ended.push(performance.now() - began)
  }
  printTable(
    `\`true\` on one node, our agent, ms from the request (${SINGLE_RUNS} runs)`,
    ['until', 'median', 'p99'],
    [
      ['SendCommand has answered', figure(median(answered)), figure(percentile(answered, 0.99))],
      ['the client knows that it succeeded', figure(median(ended)), figure(percentile(ended, 0.99))],
    ],
  )
}

async function benchFleet(stack: Stack, fleet: Fleet, count: number): Promise<void> {
  const client = apiClient(stack)
  const somebodyElse = apiClient(stack)
  await somebodyElse.call('ssm', 'GetConnectionStatus', { Target: fleet.ids[0] })
  const seconds: number[] = []
  const others: number[] = []
  let resident = 0
  for (let run = 0; run < FLEET_RUNS; run++) {
    await using other = askMeanwhile(somebodyElse, fleet.ids[0] ?? '')
    const began = performance.now()
    const commandId = await send(client, {
      Targets: [{ Key: 'tag:bench', Values: ['fleet'] }],
      MaxConcurrency: '100%',
    })
    const { Command } = await untilEnded(client, commandId)
    seconds.push((performance.now() - began) / 1_000)
    others.push(...other.times)
    if (Command.Status !== 'Success' || Command.CompletedCount !== count) {
      throw new Error(`${Command.CompletedCount} of ${count} completed, ${Command.Status}`)
    }
    const { told } = await fleet.ran(commandId)
    if (told !== count) console.log(`${told - count} of ${count} were told twice`)
    resident = Math.max(resident, (await memoryOf(stack.server.pid)).resident)
  }
  printTable(
    `A command on ${count} simulated nodes over TLS, MaxConcurrency 100 % (${FLEET_RUNS} runs)`,
    ['', 'median', 'slowest'],
    [
      ['until all have succeeded, s', figure(median(seconds)), figure(Math.max(...seconds))],
      ['GetConnectionStatus meanwhile, p50, ms', figure(median(others)), '-'],
      [
        'GetConnectionStatus meanwhile, p99, ms',
        figure(percentile(others, 0.99)),
        figure(Math.max(...others)),
      ],
      ['resident set of the server, MiB', '-', figure(resident / KIB_PER_MIB)],
    ],
  )
}

async function send(client: ApiClient, targets: object): Promise<string> {
  const { Command } = (await client.call('ssm', 'SendCommand', {
    ...targets,
    DocumentName: 'AWS-RunShellScript',
    Parameters: { commands: ['true'] },
  })) as { Command: { CommandId: string } }
  return Command.CommandId
}

async function untilEnded(client: ApiClient, commandId: string): Promise<Watched> {
  for (let revision = 0; ; ) {
    const input = {
      CommandId: commandId,
      AfterRevision: revision,
      WaitSeconds: WAIT_SECONDS,
      MaxResults: 1_000,
    }
    const watched = (await client.call('ssm', 'WatchCommand', input)) as Watched
    if (!['Pending', 'InProgress'].includes(watched.Command.Status)) return watched
    revision = watched.Revision
  }
}

/** Somebody else, who is connected and uses the API all the while, each request a while after the last began. */
function askMeanwhile(client: ApiClient, nodeId: string): AsyncDisposable & { times: number[] } {
  const times: number[] = []
  let over = false
  const ask = async () => {
    const began = performance.now()
    await client.call('ssm', 'GetConnectionStatus', { Target: nodeId })
    times.push(performance.now() - began)
  }
  const asking = (async () => {
    while (!over) await Promise.all([ask(), sleep(OTHERS_EVERY_MS)])
  })()
  return {
    times,
    async [Symbol.asyncDispose]() {
      over = true
      await asking
    },
  }
}
