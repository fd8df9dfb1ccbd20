import { iamOperations } from '@sallyport/protocol/api/iam'
import { userArn } from '@sallyport/server/iam/arns'
import { operation } from '../../operation.ts'
import { alreadyExists, noSuchUser } from './errors.ts'
import { userCheck } from './users.ts'

/** Needs permission on the user as it is and as it is going to be called (API reference, UpdateUser). */
export const updateUser = operation({
  input: iamOperations.UpdateUser.input,
  callers: ['person'],
  changesAccess: true,
  access: async (input, context) => {
    const { UserName, NewUserName = UserName, NewPath } = input
    const check = await userCheck(context, UserName)
    const path = NewPath ?? (await context.store.users.get(context.scope, UserName))?.path ?? '/'
    const shown = userArn(context, NewPath ?? '/', NewUserName)
    return { all: [check, { ...check, resource: userArn(context, path, NewUserName), shown }] }
  },
  run: async ({ store, scope }, { UserName, NewUserName: newName, NewPath: newPath }) => {
    const updated = await store.users.update(scope, UserName, { newName, newPath })
    if (updated === 'missing') throw noSuchUser(UserName)
    if (updated === 'taken') throw alreadyExists(`User with name ${newName} already exists.`)
    return {}
  },
})
