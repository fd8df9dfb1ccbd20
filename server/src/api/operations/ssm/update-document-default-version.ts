import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { operation } from '../../operation.ts'
import { documentCheck } from '../../resource-conditions.ts'
import { findOwnDocument } from './documents.ts'

export const updateDocumentDefaultVersion = operation({
  input: ssmOperations.UpdateDocumentDefaultVersion.input,
  callers: ['person'],
  access: async (input, context) => ({ all: [await documentCheck(context, input.Name)] }),
  changesAccess: true,
  run: async (context, { Name: name, DocumentVersion }) => {
    const document = await findOwnDocument(context, name, 'changed', DocumentVersion)
    await context.store.documents.setDefault(context.scope, name, document.version)
    const DefaultVersionName = document.versionName ?? undefined
    return { Description: { Name: name, DefaultVersion: DocumentVersion, DefaultVersionName } }
  },
})
