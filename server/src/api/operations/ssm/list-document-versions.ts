import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { DocumentFormat, DocumentVersionInfo } from '@sallyport/protocol/api/ssm-documents'
import { toTimestamp } from '@sallyport/protocol/api/ssm-types'
import type { StoredDocument } from '@sallyport/server/store/documents'
import { operation } from '../../operation.ts'
import { documentCheck } from '../../resource-conditions.ts'
import { findDocument } from './documents.ts'

const DEFAULT_PAGE = 50

/** Newest first. */
export const listDocumentVersions = operation({
  input: ssmOperations.ListDocumentVersions.input,
  callers: ['person'],
  access: async (input, context) => ({ all: [await documentCheck(context, input.Name)] }),
  run: async (context, { Name, MaxResults = DEFAULT_PAGE, NextToken }) => {
    const document = await findDocument(context, Name, undefined)
    if (document.owner === 'Amazon') return { DocumentVersions: [toVersion(document)] }
    const { store, scope } = context
    const page = { limit: MaxResults, token: NextToken }
    const { items, nextToken } = await store.documents.listVersions(scope, document.name, page)
    return { DocumentVersions: items.map(toVersion), NextToken: nextToken }
  },
})

function toVersion(document: StoredDocument): DocumentVersionInfo {
  return {
    Name: document.name,
    DisplayName: document.displayName ?? undefined,
    DocumentVersion: String(document.version),
    VersionName: document.versionName ?? undefined,
    CreatedDate: toTimestamp(document.createdAt),
    IsDefaultVersion: document.isDefault,
    DocumentFormat: document.documentFormat as DocumentFormat,
    Status: 'Active',
  }
}
