import type { CommandTargetInput } from '@sallyport/protocol/api/ssm-commands'
import type { ApiClient } from '../client.ts'
import { CliError, usageError } from '../errors.ts'
import { inert } from '../inert.ts'
import { listNodes, resolveNode } from '../nodes.ts'

export type TargetOptions = { all?: boolean; targets?: readonly string[]; yes?: boolean }

/** The part of SendCommand's input that names nodes. */
export type Targets = { InstanceIds: string[] } | { Targets: CommandTargetInput[] }

/** What SendCommand takes by id, and how many conditions it takes (control-plane.md 21). */
const MAX_IDS = 50
const MAX_CONDITIONS = 5

const EXAMPLES = `For example:
  sallyport run web-1 web-2 -- uptime
  sallyport run tag:env=dev,test tag:role=web -- uptime
  sallyport run --all -- uptime`

/**
 * The nodes that a person means: ids and names (as `connect` finds them), or tags. `tag:Key=a,b` is either value, several
 * tags must all hold, `tag:Key` is any value. Throws when a node is not found, and when both ways are mixed.
 */
export const chooseTargets = async (
  client: ApiClient,
  words: readonly string[],
  options: TargetOptions,
  confirm: (question: string) => Promise<boolean>,
): Promise<Targets> => {
  const given = options.targets ?? []
  const ways = [words.length > 0, given.length > 0, options.all === true].filter(Boolean).length
  if (ways === 0) throw usageError(`There are no targets. ${EXAMPLES}`)
  if (ways > 1) throw usageError('Give nodes or tags, or --targets, or --all: only one of these.')
  if (options.all) return await allOnline(client, options.yes === true, confirm)
  if (given.length > 0) return { Targets: limited(given.flatMap(parseTargets)) }
  const tags = words.filter(isTag)
  if (tags.length === words.length) return { Targets: limited(tags.map(parseTag)) }
  if (tags.length > 0) {
    throw usageError(`Give nodes or tags, not both: ${words.map(word => inert(word)).join(' ')}`)
  }
  return { InstanceIds: await nodeIds(client, words) }
}

const isTag = (word: string): boolean => word.startsWith('tag:')

const parseTag = (word: string): CommandTargetInput => {
  const [, key, values] = /^tag:([^=]+)(?:=(.*))?$/s.exec(word) ?? []
  if (!key || values === '') {
    throw usageError(
      `"${inert(word)}" is no tag: expected tag:KEY=VALUE, such as tag:env=dev or tag:env=dev,test`,
    )
  }
  if (values === undefined) return { Key: 'tag-key', Values: [key] }
  return { Key: `tag:${key}`, Values: values.split(',') }
}

const limited = (targets: CommandTargetInput[]): CommandTargetInput[] => {
  if (targets.length > MAX_CONDITIONS) {
    throw usageError(`At most ${MAX_CONDITIONS} conditions may be given; these are ${targets.length}.`)
  }
  return targets
}

const nodeIds = async (client: ApiClient, words: readonly string[]): Promise<string[]> => {
  const remembering = rememberAnswers(client)
  const ids = new Set<string>()
  for (const name of words.flatMap(word => word.split(','))) ids.add(await resolveNode(remembering, name))
  if (ids.size > MAX_IDS) {
    throw usageError(
      `These are ${ids.size} nodes. At most ${MAX_IDS} may be named one by one; for more give them a tag: tag:env=dev`,
    )
  }
  return [...ids]
}

/** So that twenty names do not list all nodes twenty times. */
const rememberAnswers = (client: ApiClient): ApiClient => {
  const answers = new Map<string, Promise<unknown>>()
  return {
    call(service, operation, input) {
      const key = JSON.stringify([service, operation, input])
      const answer = answers.get(key) ?? client.call(service, operation, input)
      answers.set(key, answer)
      return answer
    },
  }
}

/** The server finds them once more: their number does not matter, and one that has come meanwhile is among them. */
const allOnline = async (
  client: ApiClient,
  yes: boolean,
  confirm: (question: string) => Promise<boolean>,
): Promise<Targets> => {
  const { items, truncated } = await listNodes(client, [{ Key: 'PingStatus', Values: ['Online'] }])
  if (items.length === 0) throw new CliError('No node is online. All nodes: sallyport nodes')
  const count = `${truncated ? 'more than ' : ''}${items.length}`
  const what = items.length === 1 ? 'the only node that is online' : `all ${count} nodes that are online`
  if (!yes && !(await confirm(`Run it on ${what}?`))) throw new CliError('Nothing was run.')
  return { Targets: [{ Key: 'sallyport:PingStatus', Values: ['Online'] }] }
}

const EXPECTED = `expected Key=tag:env,Values=dev,test or JSON: '[{"Key":"tag:env","Values":["dev","test"]}]'`

/** AWS's syntax: shorthand or JSON. */
const parseTargets = (text: string): CommandTargetInput[] => {
  if (/^\s*[[{]/.test(text)) return parseJson(text)
  const [, key, values] = /^Key=([^,]+),Values=(.+)$/s.exec(text.trim()) ?? []
  if (key === undefined || values === undefined) {
    throw usageError(`--targets is "${inert(text)}": ${EXPECTED}`)
  }
  return [{ Key: key, Values: values.replace(/^\[(.*)\]$/s, '$1').split(',') }]
}

const parseJson = (text: string): CommandTargetInput[] => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw usageError(`--targets is not JSON: ${(error as Error).message}; ${EXPECTED}`)
  }
  return [value].flat().map(entry => {
    const { Key, Values } = Object(entry) as { Key?: unknown; Values?: unknown }
    if (typeof Key !== 'string' || !Array.isArray(Values)) {
      throw usageError(`--targets: ${EXPECTED}`)
    }
    return { Key, Values: Values.map(String) }
  })
}
