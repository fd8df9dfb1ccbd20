import { iamOperations } from '@sallyport/protocol/api/iam'
import type { ListPolicyVersionsOutput } from '@sallyport/protocol/api/iam-policies'
import { operation } from '../../operation.ts'
import { getKnownPolicy, policyAccess, versionOutput, versionsOf } from './managed-policies.ts'
import { iamPage } from './pages.ts'

/** Larger than any version's number, so that markers of newer versions come first. */
const BEYOND = 10 ** 10

/** Newest first. */
export const listPolicyVersions = operation({
  input: iamOperations.ListPolicyVersions.input,
  callers: ['person'],
  access: ({ PolicyArn }, context) => policyAccess(context, PolicyArn),
  run: async (context, input): Promise<ListPolicyVersionsOutput> => {
    const versions = await versionsOf(context, await getKnownPolicy(context, input.PolicyArn))
    const { page, ...rest } = iamPage(versions, input, ({ version }) => String(BEYOND - version))
    return { Versions: page.map(version => versionOutput(version, false)), ...rest }
  },
})
