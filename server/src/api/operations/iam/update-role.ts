import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { findOwnRole, roleAccess } from './roles.ts'

/** What is not given stays as it is. */
export const updateRole = operation({
  input: iamOperations.UpdateRole.input,
  callers: ['person'],
  access: ({ RoleName }, context) => roleAccess(context, RoleName),
  run: async (context, { RoleName, Description, MaxSessionDuration }) => {
    const { store, scope } = context
    await findOwnRole(context, RoleName)
    await store.roles.update(scope, RoleName, {
      ...(Description !== undefined && { description: Description }),
      ...(MaxSessionDuration !== undefined && { maxSessionDuration: MaxSessionDuration }),
    })
    return EMPTY_RESULT
  },
})

/** AWS's model gives it a result without members, which SDKs look for; one without output would have none. */
const EMPTY_RESULT = { Role: undefined }
