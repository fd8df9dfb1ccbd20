import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { operation } from '../../operation.ts'
import { documentCheck } from '../../resource-conditions.ts'
import { findDocument } from './documents.ts'

export const updateDocumentDefaultVersion = operation({
  input: ssmOperations.UpdateDocumentDefaultVersion.input,
  callers: ['person'],
  access: async (input, context) => ({ all: [await documentCheck(context, input.Name)] }),
  changesAccess: true,
  run: async (context, { Name: name, DocumentVersion }) => {
    const document = await findDocument(context, name, DocumentVersion)
    if (document.owner === 'Amazon')
      throw new AwsError('InvalidDocumentOperation', `${name} is owned by Amazon and cannot be changed.`)
    await context.store.documents.setDefault(context.scope, name, document.version)
    return { Description: { Name: name, DefaultVersion: DocumentVersion } }
  },
})
