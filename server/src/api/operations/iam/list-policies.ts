import { iamOperations } from '@sallyport/protocol/api/iam'
import type { ListPoliciesOutput } from '@sallyport/protocol/api/iam-policies'
import { awsManagedPolicies } from '@sallyport/server/iam/aws-managed-policies'
import type { PolicyUse } from '@sallyport/server/store/policy-use'
import { operation } from '../../operation.ts'
import { type KnownPolicy, policyOutput } from './managed-policies.ts'
import { iamPage } from './pages.ts'

/** The account's own policies and AWS's, by ARN. */
export const listPolicies = operation({
  input: iamOperations.ListPolicies.input,
  callers: ['person'],
  run: async (context, input): Promise<ListPoliciesOutput> => {
    const { Scope = 'All', OnlyAttached = false, PathPrefix = '/', PolicyUsageFilter } = input
    const { store, scope, partition } = context
    const own = Scope === 'AWS' ? [] : await store.policies.list(scope)
    const aws = Scope === 'Local' ? [] : awsManagedPolicies(partition)
    const usage = await store.policies.usage(scope)
    const wanted = [...own, ...aws].filter(
      ({ policyArn, path }) =>
        path.startsWith(PathPrefix) && isUsed(usage.get(policyArn), OnlyAttached, PolicyUsageFilter),
    )
    const { page, ...rest } = iamPage<KnownPolicy>(wanted, input, ({ policyArn }) => policyArn)
    return { Policies: page.map(policy => policyOutput(policy, usage.get(policy.policyArn))), ...rest }
  },
})

/** Without a filter for how it is used, a policy that is a boundary only counts as attached, too. */
function isUsed(
  use: PolicyUse | undefined,
  onlyAttached: boolean,
  filter: 'PermissionsPolicy' | 'PermissionsBoundary' | undefined,
): boolean {
  if (filter === 'PermissionsBoundary') return (use?.boundaries ?? 0) > 0
  if (filter === 'PermissionsPolicy') return (use?.attachments ?? 0) > 0
  return !onlyAttached || use !== undefined
}
