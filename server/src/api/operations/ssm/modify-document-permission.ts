import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { operation } from '../../operation.ts'
import { documentCheck } from '../../resource-conditions.ts'
import { findDocument, findOwnDocument } from './documents.ts'

/** docs.aws.amazon.com/general/latest/gr/ssm.html: how many accounts one document can be shared with. */
const MAXIMUM_SHARES = 1000
const EVERYBODY = 'all'

/** There is one account here: with whom a document is shared is kept and shown, and keeps it from being deleted. */
export const modifyDocumentPermission = operation({
  input: ssmOperations.ModifyDocumentPermission.input,
  callers: ['person'],
  access: async (input, context) => ({ all: [await documentCheck(context, input.Name)] }),
  run: async (context, { Name: name, PermissionType, SharedDocumentVersion = '$DEFAULT', ...input }) => {
    checkPermissionType(PermissionType)
    await findOwnDocument(context, name, 'shared')
    if (/^\d/.test(SharedDocumentVersion)) await findDocument(context, name, SharedDocumentVersion)
    const { store, scope } = context
    const added = accounts(input.AccountIdsToAdd)
    const removed = accounts(input.AccountIdsToRemove)
    if (added.includes(scope.accountId)) {
      throw new AwsError('ValidationException', `${scope.accountId} is the account that ${name} belongs to.`)
    }
    const both = added.find(account => removed.includes(account))
    if (both !== undefined) {
      throw new AwsError('ValidationException', `${both} cannot be added and removed at once.`)
    }
    const change = { added, removed, sharedVersion: SharedDocumentVersion }
    if (!(await store.documentShares.change(scope, name, change, MAXIMUM_SHARES))) {
      throw new AwsError(
        'DocumentPermissionLimit',
        `A document can be shared with ${MAXIMUM_SHARES} accounts; "all" shares it with everybody.`,
      )
    }
    return {}
  },
})

/** Throws `InvalidPermissionType`. */
export function checkPermissionType(type: string): void {
  if (type === 'Share') return
  throw new AwsError('InvalidPermissionType', `The only type of permission is Share, not ${type}.`)
}

function accounts(given: readonly string[] = []): string[] {
  return [...new Set(given.map(account => (account.toLowerCase() === EVERYBODY ? EVERYBODY : account)))]
}
