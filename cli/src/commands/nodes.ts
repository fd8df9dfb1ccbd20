import type { CommandContext } from '../context.ts'
import { EXIT } from '../errors.ts'
import { inertJson } from '../inert.ts'
import { listNodes, type ManagedNode } from '../nodes.ts'
import type { SettingsOptions } from '../settings.ts'
import { formatAge, formatTable } from '../table.ts'

export type NodesOptions = SettingsOptions & { json?: boolean }

const HEAD = ['ID', 'NAME', 'STATUS', 'PLATFORM', 'AGENT', 'ADDRESS', 'LAST PING']

/** `sallyport nodes`: every node that the caller can see, with the names by which `connect` finds it. */
export const nodes = async (options: NodesOptions, context: CommandContext): Promise<number> => {
  const { client } = await context.connect(options)
  const { items, truncated } = await listNodes(client)
  if (options.json) {
    context.out(`${inertJson(items)}\n`)
  } else if (items.length === 0) {
    context.err('No nodes yet. An activation brings one: sallyport activations create\n')
  } else {
    const now = context.now() / 1000
    const rows = [...items].sort(byName).map(node => row(node, now))
    context.out(await formatTable(HEAD, rows))
  }
  if (truncated) context.err(`Only the first ${items.length} nodes are shown.\n`)
  return EXIT.ok
}

const row = (node: ManagedNode, now: number) => [
  node.InstanceId,
  node.Name || node.ComputerName,
  node.PingStatus,
  [node.PlatformName || node.PlatformType, node.PlatformVersion].filter(Boolean).join(' '),
  node.AgentVersion,
  node.IPAddress,
  formatAge(node.LastPingDateTime, now),
]

const byName = (a: ManagedNode, b: ManagedNode) => {
  const [left, right] = [a, b].map(node => String(node.Name || node.ComputerName || node.InstanceId))
  return (left ?? '').localeCompare(right ?? '', 'en')
}
