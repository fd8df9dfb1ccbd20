import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { checkBoundary } from './boundaries.ts'
import { noSuchUser } from './errors.ts'
import { boundaryCondition, userAccess } from './users.ts'

export const putUserPermissionsBoundary = operation({
  input: iamOperations.PutUserPermissionsBoundary.input,
  callers: ['person'],
  changesAccess: true,
  access: (input, context) =>
    userAccess(context, input.UserName, boundaryCondition(input.PermissionsBoundary)),
  run: async (context, { UserName, PermissionsBoundary }) => {
    await checkBoundary(context, PermissionsBoundary)
    const found = await context.store.users.setBoundary(context.scope, UserName, PermissionsBoundary)
    if (!found) throw noSuchUser(UserName)
    return {}
  },
})
