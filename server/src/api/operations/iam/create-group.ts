import { iamOperations } from '@sallyport/protocol/api/iam'
import type { GroupOutput } from '@sallyport/protocol/api/iam-users'
import { groupArn } from '@sallyport/server/iam/arns'
import { uniqueId } from '@sallyport/server/iam/unique-id'
import { MAXIMUM_GROUPS } from '@sallyport/server/store/groups'
import { operation } from '../../operation.ts'
import { alreadyExists, quotaExceeded } from './errors.ts'
import { describeGroup } from './groups.ts'

export const createGroup = operation({
  input: iamOperations.CreateGroup.input,
  callers: ['person'],
  access: ({ GroupName, Path = '/' }, context) => ({
    all: [{ resource: groupArn(context, Path, GroupName) }],
  }),
  run: async (context, { GroupName: groupName, Path: path = '/' }): Promise<GroupOutput> => {
    const group = { groupName, groupId: uniqueId('AGPA'), path, createdAt: context.now }
    const outcome = await context.store.groups.create(context.scope, group)
    if (outcome.created !== undefined) return { Group: describeGroup(context, outcome.created) }
    if (outcome.reason === 'full') throw quotaExceeded('GroupsPerAccount', MAXIMUM_GROUPS)
    throw alreadyExists(`Group with name ${groupName} already exists.`)
  },
})
