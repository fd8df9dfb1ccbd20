import { iamOperations } from '@sallyport/protocol/api/iam'
import type { GetAccessKeyLastUsedOutput } from '@sallyport/protocol/api/iam-users'
import { type OperationContext, operation } from '../../operation.ts'
import { noSuchAccessKey } from './errors.ts'
import { userCheck } from './users.ts'

const NEVER = 'N/A'

export const getAccessKeyLastUsed = operation({
  input: iamOperations.GetAccessKeyLastUsed.input,
  callers: ['person'],
  access: async ({ AccessKeyId }, context) => {
    const key = await ownKey(context, AccessKeyId)
    // Whose key it is, and that there is one, is the answer: who may not have it is told of no user.
    const check = key === undefined ? { resource: '*' } : await userCheck(context, key.userName)
    return { all: [{ ...check, shown: '*' }] }
  },
  run: async (context, { AccessKeyId }): Promise<GetAccessKeyLastUsedOutput> => {
    const key = await ownKey(context, AccessKeyId)
    if (key === undefined) throw noSuchAccessKey(AccessKeyId)
    return {
      UserName: key.userName,
      AccessKeyLastUsed: {
        LastUsedDate: key.lastUsedAt === null ? undefined : new Date(key.lastUsedAt),
        ServiceName: key.lastUsedService ?? NEVER,
        Region: key.lastUsedRegion ?? NEVER,
      },
    }
  },
})

/** Keys are found wherever they are; those of other accounts are nobody's here. */
async function ownKey({ store, scope }: OperationContext, accessKeyId: string) {
  const key = await store.accessKeys.find(accessKeyId)
  return key?.accountId === scope.accountId && key.region === scope.region ? key : undefined
}
