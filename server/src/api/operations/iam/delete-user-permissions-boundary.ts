import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { noSuchEntity } from './errors.ts'
import { findUser, userAccess } from './users.ts'

export const deleteUserPermissionsBoundary = operation({
  input: iamOperations.DeleteUserPermissionsBoundary.input,
  callers: ['person'],
  changesAccess: true,
  access: (input, context) => userAccess(context, input.UserName),
  run: async (context, { UserName }) => {
    const { permissionsBoundary } = await findUser(context, UserName)
    if (permissionsBoundary === null) {
      throw noSuchEntity(`The user with name ${UserName} has no permissions boundary.`)
    }
    await context.store.users.setBoundary(context.scope, UserName, null)
    return {}
  },
})
