import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { operation } from '../../operation.ts'
import { documentCheck } from '../../resource-conditions.ts'
import { describeDocument, findDocument } from './documents.ts'

export const describeDocumentOperation = operation({
  input: ssmOperations.DescribeDocument.input,
  callers: ['person', 'node'],
  access: async (input, context) => ({ all: [await documentCheck(context, input.Name)] }),
  run: async (context, { Name, DocumentVersion, VersionName }) => ({
    Document: describeDocument(await findDocument(context, Name, DocumentVersion, VersionName)),
  }),
})
