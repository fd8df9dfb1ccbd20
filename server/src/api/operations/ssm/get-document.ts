import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { toTimestamp } from '@sallyport/protocol/api/ssm-types'
import { convertContent } from '@sallyport/server/documents/content-format'
import { operation } from '../../operation.ts'
import { documentCheck } from '../../resource-conditions.ts'
import { findDocument } from './documents.ts'

export const getDocument = operation({
  input: ssmOperations.GetDocument.input,
  callers: ['person', 'node'],
  access: async (input, context) => ({ all: [await documentCheck(context, input.Name)] }),
  run: async (context, { Name, DocumentVersion, VersionName, DocumentFormat = 'JSON' }) => {
    const document = await findDocument(context, Name, DocumentVersion, VersionName)
    return {
      Name: document.name,
      CreatedDate: toTimestamp(document.createdAt),
      DisplayName: document.displayName ?? undefined,
      VersionName: document.versionName ?? undefined,
      DocumentVersion: String(document.version),
      Status: 'Active',
      Content: convertContent(document.documentFormat, document.content, DocumentFormat),
      DocumentType: document.documentType,
      DocumentFormat,
    }
  },
})
