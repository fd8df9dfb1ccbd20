import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { operation } from '../../operation.ts'
import { documentCheck } from '../../resource-conditions.ts'
import { findOwnDocument } from './documents.ts'
import { checkPermissionType } from './modify-document-permission.ts'

/** The most account ids that AWS's model has in one answer. */
const DEFAULT_PAGE = 20

export const describeDocumentPermission = operation({
  input: ssmOperations.DescribeDocumentPermission.input,
  callers: ['person'],
  access: async (input, context) => ({ all: [await documentCheck(context, input.Name)] }),
  run: async (context, { Name: name, PermissionType, MaxResults = DEFAULT_PAGE, NextToken }) => {
    checkPermissionType(PermissionType)
    await findOwnDocument(context, name, 'shared')
    const page = { limit: MaxResults, token: NextToken }
    const { items, nextToken } = await context.store.documentShares.list(context.scope, name, page)
    return {
      AccountIds: items.map(({ grantee }) => grantee),
      AccountSharingInfoList: items.map(({ grantee, sharedVersion }) => ({
        AccountId: grantee,
        SharedDocumentVersion: sharedVersion,
      })),
      NextToken: nextToken,
    }
  },
})
