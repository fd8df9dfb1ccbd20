import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { parseSessionDocument } from '@sallyport/server/documents/validate'
import { operation } from '../../operation.ts'
import { documentCheck } from '../../resource-conditions.ts'
import { checkSize } from './create-document.ts'
import { contentHash, describeDocument, findDocument, MAXIMUM_VERSIONS, versionNamed } from './documents.ts'

/** Adds a version; it becomes the default only by UpdateDocumentDefaultVersion (control-plane.md 22). */
export const updateDocument = operation({
  input: ssmOperations.UpdateDocument.input,
  callers: ['person'],
  access: async (input, context) => ({ all: [await documentCheck(context, input.Name)] }),
  changesAccess: true,
  run: async (context, { Name: name, Content: content, DocumentVersion, VersionName, DisplayName }) => {
    const latest = await findDocument(context, name, '$LATEST')
    if (latest.owner === 'Amazon')
      throw new AwsError('InvalidDocumentOperation', `${name} is owned by Amazon and cannot be changed.`)
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
    parseSessionDocument(content)
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
      documentType: 'Session',
      documentFormat: 'JSON',
      content,
      hash,
      createdAt: context.now,
      displayName: DisplayName ?? latest.displayName,
      versionName: VersionName ?? null,
    })
    return {
      DocumentDescription: describeDocument(await findDocument(context, name, String(stored.version))),
    }
  },
})
