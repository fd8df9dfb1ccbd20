import { iamOperations } from '@sallyport/protocol/api/iam'
import type { PolicyOutput } from '@sallyport/protocol/api/iam-policies'
import { policyArn } from '@sallyport/server/iam/arns'
import { requestTagConditions } from '@sallyport/server/iam/tag-conditions'
import { uniqueId } from '@sallyport/server/iam/unique-id'
import { operation } from '../../operation.ts'
import { checkManagedDocument } from './documents.ts'
import { alreadyExists, quotaExceeded } from './errors.ts'
import { POLICY, policyOutput } from './managed-policies.ts'
import { creationAccess, newTags } from './tags.ts'

export const MAXIMUM_POLICIES = 1_500

export const createPolicy = operation({
  input: iamOperations.CreatePolicy.input,
  callers: ['person'],
  // Of its tags may be known already that there are none.
  changesAccess: true,
  access: ({ PolicyName, Path = '/', Tags }, context) => {
    const creation = {
      resource: policyArn(context, Path, PolicyName),
      conditions: requestTagConditions(Tags),
    }
    return creationAccess(creation, 'iam:TagPolicy', Tags)
  },
  run: async (context, input): Promise<PolicyOutput> => {
    const { PolicyName, PolicyDocument, Path = '/', Description, Tags = [] } = input
    const { store, scope, now } = context
    checkManagedDocument(PolicyDocument)
    const tags = newTags(POLICY, Tags)
    const row = {
      policyName: PolicyName,
      policyId: uniqueId('ANPA'),
      policyArn: policyArn(context, Path, PolicyName),
      path: Path,
      description: Description ?? null,
      createdAt: now,
    }
    const created = await store.policies.create(
      scope,
      { ...row, document: PolicyDocument, tags },
      MAXIMUM_POLICIES,
    )
    if (created === 'too-many') throw quotaExceeded('PoliciesPerAccount', MAXIMUM_POLICIES)
    if (created === 'exists') {
      throw alreadyExists(`A policy called ${PolicyName} already exists. Duplicate names are not allowed.`)
    }
    const policy = { ...row, ...scope, defaultVersion: 1, latestVersion: 1, updatedAt: now }
    return { Policy: { ...policyOutput(policy, undefined), ...(tags.length > 0 ? { Tags: tags } : {}) } }
  },
})
