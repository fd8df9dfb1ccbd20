import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { CreateDocumentInput } from '@sallyport/protocol/api/ssm-documents'
import { AwsError } from '@sallyport/protocol/aws/error'
import { checkSize } from '@sallyport/server/documents/content-format'
import { contentHash } from '@sallyport/server/documents/content-hash'
import { requestTagConditions } from '@sallyport/server/iam/tag-conditions'
import { StoreError } from '@sallyport/server/store/errors'
import { operation } from '../../operation.ts'
import { documentResource } from '../../resources.ts'
import { checkContent, describeDocument, findDocument } from './documents.ts'
import { mergeTags } from './tags.ts'

/** control-plane.md 22 */
export const MAXIMUM_DOCUMENTS = 500
const DEFAULT_TYPE = 'Command'
const RESERVED = /^(aws-|amazon|amzn)/i

/** Command documents, and session documents with the account's preferences among them. */
export const createDocument = operation({
  input: ssmOperations.CreateDocument.input,
  callers: ['person'],
  access: ({ Name, DocumentType = DEFAULT_TYPE, Tags = [] }, context) => {
    const conditions = { 'ssm:DocumentType': DocumentType, ...requestTagConditions(Tags) }
    const creation = { resource: documentResource(context, Name), conditions }
    // Who makes one with tags needs the permission to tag, too (Service Authorization Reference, CreateDocument).
    return {
      all: Tags.length === 0 ? [creation] : [creation, { ...creation, action: 'ssm:AddTagsToResource' }],
    }
  },
  changesAccess: true,
  run: async (context, input) => {
    const { store, scope, now } = context
    const { Name: name, Content: content, DocumentType = DEFAULT_TYPE, DocumentFormat = 'JSON' } = input
    if (RESERVED.test(name))
      throw new AwsError(
        'ValidationException',
        `Names that begin with aws-, amazon or amzn are reserved: ${name}`,
      )
    refuseParts(input)
    checkSize(content)
    checkContent(DocumentType, content, DocumentFormat)
    const tags = mergeTags([], input.Tags ?? [])
    const present = await store.documents.list(scope, {}, { limit: MAXIMUM_DOCUMENTS })
    if (present.items.length >= MAXIMUM_DOCUMENTS) {
      throw new AwsError('DocumentLimitExceeded', `An account has at most ${MAXIMUM_DOCUMENTS} documents.`)
    }
    const version = {
      name,
      documentType: DocumentType,
      documentFormat: DocumentFormat,
      content,
      hash: contentHash(content),
      createdAt: now,
    }
    try {
      await store.documents.create(scope, {
        ...version,
        displayName: input.DisplayName ?? null,
        targetType: input.TargetType ?? null,
        versionName: input.VersionName ?? null,
      })
    } catch (error) {
      if (error instanceof StoreError && error.code === 'constraint') {
        throw new AwsError(
          'DocumentAlreadyExists',
          `There is already a document named ${name}. UpdateDocument changes it.`,
        )
      }
      throw error
    }
    await store.tags.add(scope, 'Document', name, tags)
    return { DocumentDescription: describeDocument(await findDocument(context, name, '1')) }
  },
})

/** What would be promised and not done. */
function refuseParts({ Attachments = [], Requires = [] }: CreateDocumentInput): void {
  if (Attachments.length > 0)
    throw new AwsError('ValidationException', 'Attachments are not supported: have the document fetch them.')
  if (Requires.length > 0)
    throw new AwsError('ValidationException', 'Requires is not supported: documents do not depend on others.')
}
