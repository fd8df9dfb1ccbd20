import { iamOperations } from '@sallyport/protocol/api/iam'
import type { ListEntitiesForPolicyOutput } from '@sallyport/protocol/api/iam-policies'
import { type OperationContext, operation } from '../../operation.ts'
import { getKnownPolicy, policyAccess } from './managed-policies.ts'
import { iamPage } from './pages.ts'

type Entity = { type: 'user' | 'group' | 'role'; name: string; id: string; path: string }

const TYPES = { User: 'user', Group: 'group', Role: 'role' } as const

/** Who has a policy, attached or as a boundary. */
export const listEntitiesForPolicy = operation({
  input: iamOperations.ListEntitiesForPolicy.input,
  callers: ['person'],
  access: ({ PolicyArn }, context) => policyAccess(context, PolicyArn),
  run: async (context, input): Promise<ListEntitiesForPolicyOutput> => {
    const { PolicyArn, EntityFilter, PathPrefix = '/', PolicyUsageFilter } = input
    await getKnownPolicy(context, PolicyArn)
    const wanted = new Map<string, Entity>()
    const add = (entity: Entity) => wanted.set(`${entity.type}/${entity.name}`, entity)
    if (PolicyUsageFilter !== 'PermissionsBoundary') (await attached(context, PolicyArn)).forEach(add)
    if (PolicyUsageFilter !== 'PermissionsPolicy') (await bounded(context, PolicyArn)).forEach(add)
    const type = (TYPES as Readonly<Record<string, string>>)[EntityFilter ?? '']
    const found = [...wanted].filter(
      ([, entity]) =>
        entity.path.startsWith(PathPrefix) && (EntityFilter === undefined || entity.type === type),
    )
    const { page, ...rest } = iamPage(found, input, ([marker]) => marker)
    const of = (kind: Entity['type']) => page.map(([, entity]) => entity).filter(each => each.type === kind)
    return {
      PolicyGroups: of('group').map(({ name, id }) => ({ GroupName: name, GroupId: id })),
      PolicyUsers: of('user').map(({ name, id }) => ({ UserName: name, UserId: id })),
      PolicyRoles: of('role').map(({ name, id }) => ({ RoleName: name, RoleId: id })),
      ...rest,
    }
  },
})

async function attached({ store, scope }: OperationContext, policyArn: string): Promise<Entity[]> {
  const rows = await store.policies.attachedTo(scope, policyArn)
  const entities = rows.map(async ({ ownerType: type, ownerName: name }): Promise<Entity | undefined> => {
    switch (type) {
      case 'user': {
        const user = await store.users.get(scope, name)
        return user && { type, name, id: user.userId, path: user.path }
      }
      case 'group': {
        const group = await store.groups.get(scope, name)
        return group && { type, name, id: group.groupId, path: group.path }
      }
      case 'role': {
        const role = await store.roles.get(scope, name)
        return role && { type, name, id: role.roleId, path: role.path }
      }
    }
  })
  return (await Promise.all(entities)).filter(entity => entity !== undefined)
}

async function bounded({ store, scope }: OperationContext, policyArn: string): Promise<Entity[]> {
  const { users, roles } = await store.policies.boundaryOf(scope, policyArn)
  return [
    ...users.map(({ userName: name, userId: id, path }) => ({ type: 'user' as const, name, id, path })),
    ...roles.map(({ roleName: name, roleId: id, path }) => ({ type: 'role' as const, name, id, path })),
  ]
}
