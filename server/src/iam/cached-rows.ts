import type { RoleRow, Scope } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import type { Tag } from '../store/tags.ts'
import type { AccessCache } from './access-cache.ts'

/** Where rows come from that more than one part of deciding asks for. */
export type RowSources = { store: Store; scope: Scope; cache: AccessCache }

export function cachedRole(
  { store, scope, cache }: RowSources,
  roleName: string,
): Promise<RoleRow | undefined> {
  return cache.get(`role ${roleName}`, () => store.roles.get(scope, roleName))
}

/** Under the resource type that the store keeps them under. */
export function cachedTags(
  { store, scope, cache }: RowSources,
  resourceType: string,
  resourceId: string,
): Promise<readonly Tag[]> {
  return cache.get(`tags of ${resourceType} ${resourceId}`, () =>
    store.tags.list(scope, resourceType, resourceId),
  )
}
