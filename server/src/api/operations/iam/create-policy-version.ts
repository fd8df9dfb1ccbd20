import { iamOperations } from '@sallyport/protocol/api/iam'
import type { PolicyVersionOutput } from '@sallyport/protocol/api/iam-policies'
import { AwsError } from '@sallyport/protocol/aws/error'
import { operation } from '../../operation.ts'
import { checkManagedDocument } from './documents.ts'
import { getOwnPolicy, noSuchPolicy, policyAccess, versionOutput } from './managed-policies.ts'

export const MAXIMUM_VERSIONS = 5

export const createPolicyVersion = operation({
  input: iamOperations.CreatePolicyVersion.input,
  callers: ['person'],
  changesAccess: true,
  access: ({ PolicyArn }, context) => policyAccess(context, PolicyArn),
  run: async (context, input): Promise<PolicyVersionOutput> => {
    const { PolicyArn, PolicyDocument: document, SetAsDefault: setAsDefault = false } = input
    const { store, scope, now } = context
    await getOwnPolicy(context, PolicyArn)
    checkManagedDocument(document)
    const version = { document, createdAt: now, setAsDefault }
    const added = await store.policies.addVersion(scope, PolicyArn, version, MAXIMUM_VERSIONS)
    if (added === 'absent') throw noSuchPolicy(PolicyArn)
    if (added === 'too-many') {
      const message = `A managed policy can have up to ${MAXIMUM_VERSIONS} versions. Before you create a new version, you must delete an existing version.`
      throw new AwsError('LimitExceeded', message, { status: 409 })
    }
    return { PolicyVersion: versionOutput({ ...added, isDefault: setAsDefault }, false) }
  },
})
