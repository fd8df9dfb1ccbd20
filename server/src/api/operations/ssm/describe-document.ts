import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { operation } from '../../operation.ts'
import { documentResource } from '../../resources.ts'
import { describeDocument, findDocument } from './documents.ts'

export const describeDocumentOperation = operation({
  input: ssmOperations.DescribeDocument.input,
  callers: ['user', 'node'],
  resources: (input, context) => [documentResource(context, input.Name)],
  run: async (context, { Name, DocumentVersion, VersionName }) => ({
    Document: describeDocument(await findDocument(context, Name, DocumentVersion, VersionName)),
  }),
})
