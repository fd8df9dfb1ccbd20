import type { ApiClient } from './client.ts'
import { CliError, usageError } from './errors.ts'
import { inert } from './inert.ts'
import { type Listed, listAll } from './pages.ts'

/** InstanceInformation, as far as it is used here (control-plane.md 20). What the node said of itself is untrusted. */
export type ManagedNode = {
  InstanceId: string
  Name?: string
  ComputerName?: string
  PingStatus?: string
  PlatformName?: string
  PlatformType?: string
  PlatformVersion?: string
  AgentVersion?: string
  IPAddress?: string
  /** Seconds since 1970. */
  LastPingDateTime?: number
}

type Filters = ReadonlyArray<{ Key: string; Values: string[] }>

/** More nodes than a person can have meant to list; 400 requests of the largest page that the API has. */
const MAX_NODES = 20_000
const PAGE = 50
const MAX_CANDIDATES = 10
const MAX_SUGGESTIONS = 3

const NODE_ID = /^(i-([0-9a-f]{8}|[0-9a-f]{17})|mi-[0-9a-f]{17})$/
const OTHER_TARGET = /^ecs:/

export const listNodes = (client: ApiClient, filters: Filters = []): Promise<Listed<ManagedNode>> => {
  const input = { MaxResults: PAGE, ...(filters.length > 0 ? { Filters: filters } : {}) }
  return listAll(client, 'DescribeInstanceInformation', input, 'InstanceInformationList', MAX_NODES)
}

/** What a person may call the node, by what it is called itself. */
const namesOf = (node: ManagedNode): string[] => {
  const names = [node.InstanceId, node.Name, node.ComputerName, node.ComputerName?.replace(/\..*$/, '')]
  return [...new Set(names.filter(name => name !== undefined && name !== ''))] as string[]
}

/** One node in a line, safe to print. */
const describe = (node: ManagedNode): string => {
  const names = namesOf(node)
    .slice(1)
    .map(name => inert(name))
  return `${inert(node.InstanceId)}  ${names.join(', ')}  ${inert(node.PingStatus)}`
}

/**
 * The id of the node that a person means: a node id goes to the server as it is; anything else is a name, a computer
 * name (with or without its domain, in any case), the tag `Name`, or the beginning of one node's id.
 * Throws with the candidates when several nodes fit, with the nearest names when none does.
 */
export const resolveNode = async (client: ApiClient, wanted: string): Promise<string> => {
  if (wanted.trim() === '') throw usageError('The name of the node is empty. All of them: sallyport nodes')
  if (NODE_ID.test(wanted) || OTHER_TARGET.test(wanted)) return wanted
  const [all, tagged] = await Promise.all([
    listNodes(client),
    listNodes(client, [{ Key: 'tag:Name', Values: [wanted] }]),
  ])
  const name = wanted.toLowerCase()
  const named = all.items.filter(node => namesOf(node).some(known => known.toLowerCase() === name))
  const exact = new Map([...named, ...tagged.items].map(node => [node.InstanceId, node]))
  const matches = exact.size > 0 ? [...exact.values()] : byIdPrefix(all.items, name)
  const [only] = matches
  if (only === undefined) throw new CliError(explainUnknown(wanted, all))
  if (matches.length > 1) throw new CliError(explainAmbiguous(wanted, matches))
  return only.InstanceId
}

const byIdPrefix = (nodes: readonly ManagedNode[], prefix: string) =>
  /^m?i-./.test(prefix) ? nodes.filter(node => node.InstanceId.startsWith(prefix)) : []

const explainAmbiguous = (wanted: string, matches: readonly ManagedNode[]): string => {
  const lines = matches.slice(0, MAX_CANDIDATES).map(node => `  ${describe(node)}`)
  const more = matches.length > lines.length ? [`  and ${matches.length - lines.length} more`] : []
  const count = `"${inert(wanted)}" is the name of ${matches.length} nodes. Give the id of the one you mean:`
  return [count, ...lines, ...more].join('\n')
}

const explainUnknown = (wanted: string, all: Listed<ManagedNode>): string => {
  if (all.items.length === 0) return `There is no node "${inert(wanted)}": you can see no nodes here at all.`
  const near = nearest(wanted, all.items.flatMap(namesOf))
  const hint = near.length > 0 ? ` Did you mean ${near.map(name => inert(name)).join(', ')}?` : ''
  const searched = all.truncated ? ` (looked at the first ${MAX_NODES} nodes)` : ''
  return `There is no node "${inert(wanted)}"${searched}.${hint} All of them: sallyport nodes`
}

/** The names that differ from `wanted` by few typing errors, or contain it; best first. */
export const nearest = (wanted: string, names: readonly string[]): string[] => {
  const target = wanted.toLowerCase()
  const allowed = target.length < 4 ? 1 : Math.max(2, Math.floor(target.length / 3))
  return [...new Set(names)]
    .map(name => {
      const lower = name.toLowerCase()
      const contained = target.length > 2 && lower.includes(target)
      return { name, distance: contained ? 0.5 : editDistance(target, lower, allowed) }
    })
    .filter(({ distance }) => distance <= allowed)
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, MAX_SUGGESTIONS)
    .map(({ name }) => name)
}

/** Levenshtein distance, row by row; more than `limit` when the lengths alone differ by more. */
const editDistance = (a: string, b: string, limit: number): number => {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(replaced, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1))
    }
    previous = row
  }
  return previous[b.length] ?? 0
}
