import { iamOperations } from '@sallyport/protocol/api/iam'
import type { UserOutput } from '@sallyport/protocol/api/iam-users'
import { userArn } from '@sallyport/server/iam/arns'
import { requestTagConditions } from '@sallyport/server/iam/tag-conditions'
import { uniqueId } from '@sallyport/server/iam/unique-id'
import { MAXIMUM_USERS } from '@sallyport/server/store/users'
import { operation } from '../../operation.ts'
import { checkBoundary } from './boundaries.ts'
import { alreadyExists, quotaExceeded } from './errors.ts'
import { creationAccess, newTags } from './tags.ts'
import { boundaryCondition, describeWholeUser, USERS } from './users.ts'

export const createUser = operation({
  input: iamOperations.CreateUser.input,
  callers: ['person'],
  changesAccess: true,
  access: (input, context) => {
    const { UserName, Path = '/', PermissionsBoundary, Tags = [] } = input
    const resource = userArn(context, Path, UserName)
    const conditions = { ...boundaryCondition(PermissionsBoundary), ...requestTagConditions(Tags) }
    return creationAccess({ resource, conditions }, 'iam:TagUser', Tags)
  },
  run: async (context, input): Promise<UserOutput> => {
    const { store, scope, now } = context
    const { UserName: userName, Path: path = '/', PermissionsBoundary } = input
    const tags = newTags(USERS, input.Tags)
    if (PermissionsBoundary !== undefined) await checkBoundary(context, PermissionsBoundary)
    const user = {
      userName,
      userId: uniqueId('AIDA'),
      path,
      createdAt: now,
      permissionsBoundary: PermissionsBoundary ?? null,
    }
    const outcome = await store.users.create(scope, user, tags)
    if (outcome.created !== undefined) return { User: describeWholeUser(context, outcome.created, tags) }
    if (outcome.reason === 'full') throw quotaExceeded('UsersPerAccount', MAXIMUM_USERS)
    throw alreadyExists(`User with name ${userName} already exists.`)
  },
})
