import { iamOperations } from '@sallyport/protocol/api/iam'
import type { PolicyVersionOutput } from '@sallyport/protocol/api/iam-policies'
import { operation } from '../../operation.ts'
import {
  getKnownPolicy,
  noSuchVersion,
  policyAccess,
  versionOf,
  versionOutput,
  versionsOf,
} from './managed-policies.ts'

export const getPolicyVersion = operation({
  input: iamOperations.GetPolicyVersion.input,
  callers: ['person'],
  access: ({ PolicyArn }, context) => policyAccess(context, PolicyArn),
  run: async (context, { PolicyArn, VersionId }): Promise<PolicyVersionOutput> => {
    const policy = await getKnownPolicy(context, PolicyArn)
    const wanted = versionOf(VersionId)
    const found = (await versionsOf(context, policy)).find(({ version }) => version === wanted)
    if (found === undefined) throw noSuchVersion(PolicyArn, VersionId)
    return { PolicyVersion: versionOutput(found, true) }
  },
})
