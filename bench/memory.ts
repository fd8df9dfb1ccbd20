import { setTimeout as sleep } from 'node:timers/promises'
import { Fleet } from '../e2e/fleet.ts'
import { type Stack, startStack } from '../e2e/stack.ts'
import { COLLECT_ON_SIGNAL, type Memory, memoryOf, socketsOf } from './memory-of.ts'
import { apiClient, type OwnShell, openOwnShell } from './own-client.ts'
import { openStack, type Peers } from './peers.ts'
import { figure, printTable } from './table.ts'

const SHELLS = [0, 1, 10]
const NODES = [0, 250, 1000]
/** The connections of calls stay open for 30 s after the last; the node's channel is what is measured. */
const SOCKETS_TIMEOUT_MS = 60_000
const OTHER_SOCKETS = 8
const KIB_PER_MIB = 1024

/** Resident sets; the shells' own processes and the simulated nodes are not part of them. */
export async function benchMemory({ account }: Peers): Promise<void> {
  {
    await using fresh = await openStack(account)
    await benchAgent(fresh)
  }
  await using stack = await startStack({ nodes: 0, serverEnv: { NODE_OPTIONS: COLLECT_ON_SIGNAL } })
  await benchServer(stack)
}

async function benchAgent(stack: Stack): Promise<void> {
  const client = apiClient(stack)
  const shells: OwnShell[] = []
  // The first shell loads code and the terminal addon, which stay.
  const before = await memoryOf(stack.node.process.pid)
  const rows: Array<[number, Memory]> = []
  for (const wanted of SHELLS) {
    while (shells.length < wanted) shells.push(await openOwnShell(stack, client))
    rows.push([wanted, wanted === 0 ? before : await memoryOf(stack.node.process.pid)])
  }
  for (const shell of shells) await shell.leave()
  rows.push([0, await memoryOf(stack.node.process.pid)])
  const [, one, ten] = rows
  printTable(
    'Resident set of the agent, MiB',
    ['shells', 'as it is', 'garbage collected'],
    rows.map(([count, memory], index) => [
      `${count}${index === rows.length - 1 ? ' again' : ''}`,
      figure(memory.resident / KIB_PER_MIB),
      figure(memory.collected / KIB_PER_MIB),
    ]),
  )
  if (one === undefined || ten === undefined) return
  const each = (ten[1].collected - one[1].collected) / (ten[0] - one[0]) / KIB_PER_MIB
  console.log(`\nEach shell beyond the first: ${figure(each)} MiB, garbage collected.`)
}

async function benchServer(stack: Stack): Promise<void> {
  await using fleet = new Fleet(stack)
  const rows: Array<[number, Memory]> = []
  for (const wanted of NODES) {
    await fleet.open(wanted)
    await onlyChannels(stack.server.pid, wanted)
    rows.push([wanted, await memoryOf(stack.server.pid)])
  }
  printServer(rows)
}

function printServer(rows: ReadonlyArray<[number, Memory]>): void {
  const [none, some] = rows
  if (none === undefined || some === undefined) return
  const each = (from: [number, Memory], to: [number, Memory]) =>
    to[0] === from[0] ? '-' : figure((to[1].collected - from[1].collected) / (to[0] - from[0]))
  printTable(
    'Resident set of the server with idle nodes, TLS (KiB per node: garbage collected)',
    ['nodes', 'as it is, MiB', 'collected, MiB', 'KiB per node', `KiB per node above ${some[0]}`],
    rows.map(row => [
      String(row[0]),
      figure(row[1].resident / KIB_PER_MIB),
      figure(row[1].collected / KIB_PER_MIB),
      each(none, row),
      row[0] > some[0] ? each(some, row) : '-',
    ]),
  )
}

async function onlyChannels(pid: number, nodes: number): Promise<void> {
  const deadline = Date.now() + SOCKETS_TIMEOUT_MS
  while (socketsOf(pid) > nodes + OTHER_SOCKETS) {
    if (Date.now() > deadline) throw new Error(`${socketsOf(pid)} sockets are open for ${nodes} nodes`)
    await sleep(500)
  }
}
