import { type GetAccessKeyInfoOutput, stsOperations } from '@sallyport/protocol/api/sts'
import { AwsError } from '@sallyport/protocol/aws/error'
import { operation } from '../../operation.ts'
import { refuseSessionToken } from './permissions.ts'

/** Which account an access key is of. Of temporary ones there is no record. */
export const getAccessKeyInfo = operation({
  input: stsOperations.GetAccessKeyInfo.input,
  callers: ['person'],
  run: async ({ store, scope }, { AccessKeyId }, person): Promise<GetAccessKeyInfoOutput> => {
    refuseSessionToken(person, 'GetAccessKeyInfo')
    const key = await store.accessKeys.find(AccessKeyId)
    if (key?.accountId !== scope.accountId) {
      throw new AwsError(
        'ValidationError',
        `Access key ${AccessKeyId} is none of account ${scope.accountId}, the only one here, or was deleted. Temporary ones (ASIA…) are not recorded.`,
      )
    }
    return { Account: key.accountId }
  },
})
