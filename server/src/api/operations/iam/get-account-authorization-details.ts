import { iamOperations } from '@sallyport/protocol/api/iam'
import type {
  GetAccountAuthorizationDetailsOutput,
  GroupDetail,
  PolicyDetail,
  RoleDetail,
  UserDetail,
} from '@sallyport/protocol/api/iam-simulation'
import { awsManagedPolicies } from '@sallyport/server/iam/aws-managed-policies'
import { type OperationContext, operation } from '../../operation.ts'
import { groupDetail, policyDetail, roleDetail, userDetail } from './authorization-details.ts'
import { iamPage } from './pages.ts'

type Kind = 'User' | 'Group' | 'Role' | 'LocalManagedPolicy' | 'AWSManagedPolicy'

/** Something to tell of. Details are looked up only of what is on the page. */
type Entry = { marker: string } & (
  | { kind: 'user'; load: () => Promise<UserDetail> }
  | { kind: 'group'; load: () => Promise<GroupDetail> }
  | { kind: 'role'; load: () => Promise<RoleDetail> }
  | { kind: 'policy'; load: () => Promise<PolicyDetail> }
)

const ALL: readonly Kind[] = ['User', 'Group', 'Role', 'LocalManagedPolicy', 'AWSManagedPolicy']

/** Everything that decides who may do what. Of AWS's policies those that somebody has. */
export const getAccountAuthorizationDetails = operation({
  input: iamOperations.GetAccountAuthorizationDetails.input,
  callers: ['person'],
  run: async (context, input): Promise<GetAccountAuthorizationDetailsOutput> => {
    const kinds = input.Filter === undefined || input.Filter.length === 0 ? ALL : input.Filter
    const entries = (await Promise.all(kinds.map(kind => entriesOf(context, kind)))).flat()
    const { page, ...rest } = iamPage(entries, input, ({ marker }) => marker)
    const output = {
      UserDetailList: [] as UserDetail[],
      GroupDetailList: [] as GroupDetail[],
      RoleDetailList: [] as RoleDetail[],
      Policies: [] as PolicyDetail[],
    }
    for (const entry of page) {
      if (entry.kind === 'user') output.UserDetailList.push(await entry.load())
      else if (entry.kind === 'group') output.GroupDetailList.push(await entry.load())
      else if (entry.kind === 'role') output.RoleDetailList.push(await entry.load())
      else output.Policies.push(await entry.load())
    }
    return { ...output, ...rest }
  },
})

async function entriesOf(context: OperationContext, kind: Kind): Promise<Entry[]> {
  const { store, scope, partition } = context
  switch (kind) {
    case 'User':
      return (await store.users.list(scope)).map(row => ({
        marker: `1/${row.userName}`,
        kind: 'user',
        load: () => userDetail(context, row),
      }))
    case 'Group':
      return (await store.groups.list(scope)).map(row => ({
        marker: `2/${row.groupName}`,
        kind: 'group',
        load: () => groupDetail(context, row),
      }))
    case 'Role':
      return (await store.roles.list(scope)).map(row => ({
        marker: `3/${row.roleName}`,
        kind: 'role',
        load: () => roleDetail(context, row),
      }))
    case 'LocalManagedPolicy':
      return (await store.policies.list(scope)).map(row => ({
        marker: `4/${row.policyArn}`,
        kind: 'policy',
        load: () => policyDetail(context, row),
      }))
    case 'AWSManagedPolicy': {
      const usage = await store.policies.usage(scope)
      const used = awsManagedPolicies(partition).filter(({ policyArn }) => usage.has(policyArn))
      return used.map(policy => ({
        marker: `5/${policy.policyArn}`,
        kind: 'policy',
        load: () => policyDetail(context, policy),
      }))
    }
  }
}
