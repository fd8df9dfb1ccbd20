import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { toTimestamp } from '@sallyport/protocol/api/ssm-types'
import { AwsError } from '@sallyport/protocol/aws/error'
import { operation } from '../../operation.ts'
import { documentCheck } from '../../resource-conditions.ts'
import { findDocument } from './documents.ts'

export const getDocument = operation({
  input: ssmOperations.GetDocument.input,
  callers: ['person', 'node'],
  access: async (input, context) => ({ all: [await documentCheck(context, input.Name)] }),
  run: async (context, { Name, DocumentVersion, VersionName, DocumentFormat = 'JSON' }) => {
    if (DocumentFormat !== 'JSON') {
      throw new AwsError(
        'ValidationException',
        `Session documents are JSON; they cannot be had as ${DocumentFormat}.`,
      )
    }
    const document = await findDocument(context, Name, DocumentVersion, VersionName)
    return {
      Name: document.name,
      CreatedDate: toTimestamp(document.createdAt),
      DisplayName: document.displayName ?? undefined,
      VersionName: document.versionName ?? undefined,
      DocumentVersion: String(document.version),
      Status: 'Active',
      Content: document.content,
      DocumentType: document.documentType,
      DocumentFormat: 'JSON',
    }
  },
})
