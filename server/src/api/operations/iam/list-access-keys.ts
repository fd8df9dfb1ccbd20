import { iamOperations } from '@sallyport/protocol/api/iam'
import type { ListAccessKeysOutput } from '@sallyport/protocol/api/iam-users'
import { operation } from '../../operation.ts'
import { iamPage } from './pages.ts'
import { findUser, userAccess, userOrCaller } from './users.ts'

/** By id. */
export const listAccessKeys = operation({
  input: iamOperations.ListAccessKeys.input,
  callers: ['person'],
  access: (input, context, caller) => userAccess(context, userOrCaller(input.UserName, caller)),
  run: async (context, input, caller): Promise<ListAccessKeysOutput> => {
    const { userName } = await findUser(context, userOrCaller(input.UserName, caller))
    const keys = await context.store.accessKeys.listForUser(context.scope, userName)
    const { page, ...rest } = iamPage(keys, input, key => key.accessKeyId)
    const AccessKeyMetadata = page.map(key => ({
      UserName: key.userName,
      AccessKeyId: key.accessKeyId,
      Status: key.status,
      CreateDate: new Date(key.createdAt),
    }))
    return { AccessKeyMetadata, ...rest }
  },
})
