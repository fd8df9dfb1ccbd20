import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { checkSize } from '@sallyport/server/documents/content-format'
import { contentHash } from '@sallyport/server/documents/content-hash'
import { operation } from '../../operation.ts'
import { documentCheck } from '../../resource-conditions.ts'
import {
  checkContent,
  describeDocument,
  findDocument,
  findOwnDocument,
  MAXIMUM_VERSIONS,
  versionNamed,
} from './documents.ts'

/** Adds a version; it becomes the default only by UpdateDocumentDefaultVersion (control-plane.md 22). */
export const updateDocument = operation({
  input: ssmOperations.UpdateDocument.input,
  callers: ['person'],
  access: async (input, context) => ({ all: [await documentCheck(context, input.Name)] }),
  changesAccess: true,
  run: async (context, input) => {
    const { Name: name, Content: content, DocumentVersion, VersionName, DocumentFormat = 'JSON' } = input
    const latest = await findOwnDocument(context, name, 'changed', '$LATEST')
    if (
      DocumentVersion !== undefined &&
      DocumentVersion !== '$LATEST' &&
      DocumentVersion !== String(latest.version)
    ) {
      throw new AwsError(
        'InvalidDocumentVersion',
        `Only the latest version, ${latest.version}, can be updated (--document-version '$LATEST').`,
      )
    }
    checkSize(content)
    if ((input.Attachments ?? []).length > 0)
      throw new AwsError(
        'ValidationException',
        'Attachments are not supported: have the document fetch them.',
      )
    checkContent(latest.documentType, content, DocumentFormat)
    const hash = contentHash(content)
    if (hash === latest.hash)
      throw new AwsError('DuplicateDocumentContent', 'The content is the same as that of the latest version.')
    if (latest.version >= MAXIMUM_VERSIONS) {
      throw new AwsError(
        'DocumentVersionLimitExceeded',
        `A document has at most ${MAXIMUM_VERSIONS} versions.`,
      )
    }
    if (VersionName !== undefined && (await versionNamed(context, name, VersionName)) !== undefined) {
      throw new AwsError(
        'DuplicateDocumentVersionName',
        `There is already a version of ${name} that is named ${VersionName}.`,
      )
    }
    const stored = await context.store.documents.put(context.scope, {
      name,
      documentType: latest.documentType,
      documentFormat: DocumentFormat,
      content,
      hash,
      createdAt: context.now,
      displayName: input.DisplayName ?? latest.displayName,
      targetType: input.TargetType ?? latest.targetType,
      versionName: VersionName ?? null,
    })
    return {
      DocumentDescription: describeDocument(await findDocument(context, name, String(stored.version))),
    }
  },
})
