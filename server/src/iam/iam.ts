import type { Scope } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import { Access } from './access.ts'
import { AccessCache } from './access-cache.ts'
import { Identities } from './identities.ts'
import { NodeRoles } from './node-roles.ts'
import type { BadPolicyListener } from './parsed-policies.ts'

export type IamOptions = {
  store: Store
  scope: Scope
  partition: string
  onBadPolicy?: BadPolicyListener
  now: () => number
}

export type Iam = { accessCache: AccessCache; access: Access; identities: Identities; nodeRoles: NodeRoles }

/** All that decides who may do what, over one cache of what the store holds. */
export function iamOver(options: IamOptions): Iam {
  const accessCache = new AccessCache(options.now)
  const parts = { ...options, cache: accessCache }
  const access = new Access(parts)
  return {
    accessCache,
    access,
    identities: new Identities(parts),
    nodeRoles: new NodeRoles({ ...parts, access }),
  }
}
