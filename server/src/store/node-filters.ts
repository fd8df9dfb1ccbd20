import type { SelectQueryBuilder } from 'kysely'
import type { NodeRow, Schema } from './schema.ts'

/** Filters of different kinds must all hold; within one, any of its values. */
export type NodeFilters = {
  nodeIds?: string[]
  names?: string[]
  computerNames?: string[]
  kinds?: NodeRow['kind'][]
  activationIds?: string[]
  iamRoles?: string[]
  platformTypes?: string[]
  agentVersions?: string[]
  connected?: boolean
  /** Each must match; without `values` the key alone is enough. */
  tags?: { key: string; values?: string[] }[]
  /** Of each of these there must be one that the node has a tag with, whatever its value. */
  tagKeys?: string[][]
  includeDeregistered?: boolean
}

type NodeQuery = SelectQueryBuilder<Schema, 'nodes', NodeRow>

/** Under which resource types the two kinds of node carry their tags. */
export const nodeResourceTypes = { 'managed-instance': 'ManagedInstance', instance: 'Instance' } as const

/** The ids of the two kinds differ. */
export function kindOfNode(nodeId: string): NodeRow['kind'] {
  return nodeId.startsWith('i-') ? 'instance' : 'managed-instance'
}

const listed = {
  nodeIds: 'nodeId',
  names: 'name',
  computerNames: 'computerName',
  kinds: 'kind',
  activationIds: 'activationId',
  iamRoles: 'iamRole',
  platformTypes: 'platformType',
  agentVersions: 'agentVersion',
} as const

export function applyNodeFilters(query: NodeQuery, filters: NodeFilters): NodeQuery {
  let filtered = query
  for (const filter of Object.keys(listed) as (keyof typeof listed)[]) {
    const values: string[] | undefined = filters[filter]
    if (values) filtered = filtered.where(listed[filter], 'in', values as never[])
  }
  if (filters.connected !== undefined) filtered = filtered.where('connected', '=', filters.connected ? 1 : 0)
  if (!filters.includeDeregistered) filtered = filtered.where('deregisteredAt', 'is', null)
  for (const { key, values } of filters.tags ?? []) filtered = withTag(filtered, [key], values)
  for (const keys of filters.tagKeys ?? []) filtered = withTag(filtered, keys)
  return filtered
}

function withTag(query: NodeQuery, keys: string[], values?: string[]): NodeQuery {
  return query.where(({ exists, selectFrom }) => {
    const matching = selectFrom('tags')
      .select('tags.resourceId')
      .whereRef('tags.accountId', '=', 'nodes.accountId')
      .whereRef('tags.region', '=', 'nodes.region')
      .where('tags.resourceType', 'in', Object.values(nodeResourceTypes))
      .whereRef('tags.resourceId', '=', 'nodes.nodeId')
      .where('tags.tagKey', 'in', keys)
    return exists(values ? matching.where('tags.tagValue', 'in', values) : matching)
  })
}
