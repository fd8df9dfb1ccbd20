import { iamOperations } from '@sallyport/protocol/api/iam'
import type { CreateAccessKeyOutput } from '@sallyport/protocol/api/iam-users'
import { newSecretAccessKey, uniqueId } from '@sallyport/server/iam/unique-id'
import { MAXIMUM_KEYS_PER_USER } from '@sallyport/server/store/access-keys'
import { operation } from '../../operation.ts'
import { noSuchUser, quotaExceeded } from './errors.ts'
import { userAccess, userOrCaller } from './users.ts'

/** Its answer is the only place where the secret ever is. */
export const createAccessKey = operation({
  input: iamOperations.CreateAccessKey.input,
  callers: ['person'],
  changesAccess: true,
  access: (input, context, caller) => userAccess(context, userOrCaller(input.UserName, caller)),
  run: async ({ store, scope, sealing, now }, input, caller): Promise<CreateAccessKeyOutput> => {
    const userName = userOrCaller(input.UserName, caller)
    const accessKeyId = uniqueId('AKIA')
    const SecretAccessKey = newSecretAccessKey()
    const sealedSecret = sealing.seal(SecretAccessKey, accessKeyId)
    const key = { accessKeyId, userName, sealedSecret, createdAt: now }
    const created = await store.accessKeys.create(scope, key)
    if (created === 'no-user') throw noSuchUser(userName)
    if (created === 'full') throw quotaExceeded('AccessKeysPerUser', MAXIMUM_KEYS_PER_USER)
    return {
      AccessKey: {
        UserName: userName,
        AccessKeyId: accessKeyId,
        Status: 'Active',
        SecretAccessKey,
        CreateDate: new Date(now),
      },
    }
  },
})
