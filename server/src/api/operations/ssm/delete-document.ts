import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { operation } from '../../operation.ts'
import { documentCheck } from '../../resource-conditions.ts'
import { findOwnDocument } from './documents.ts'

export const deleteDocument = operation({
  input: ssmOperations.DeleteDocument.input,
  callers: ['person'],
  access: async (input, context) => ({ all: [await documentCheck(context, input.Name)] }),
  changesAccess: true,
  run: async (context, { Name: name, DocumentVersion, VersionName }) => {
    const document = await findOwnDocument(context, name, 'deleted', DocumentVersion, VersionName)
    const whole = DocumentVersion === undefined && VersionName === undefined
    if (!whole && document.isDefault) {
      throw new AwsError(
        'InvalidDocumentOperation',
        `Version ${document.version} is the default version of ${name}. Make another one the default first.`,
      )
    }
    const shares = await context.store.documentShares.list(context.scope, name, { limit: 1 })
    if (whole && shares.items.length > 0) {
      throw new AwsError(
        'InvalidDocumentOperation',
        `${name} is shared with other accounts. Take it from them first (modify-document-permission --account-ids-to-remove).`,
      )
    }
    await context.store.documents.delete(context.scope, name, whole ? undefined : document.version)
    if (whole) await context.store.tags.clear(context.scope, 'Document', name)
    return {}
  },
})
