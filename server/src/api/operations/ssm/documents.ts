import type {
  DocumentDescription,
  DocumentFormat,
  DocumentIdentifier,
  DocumentParameter,
  DocumentType,
} from '@sallyport/protocol/api/ssm-documents'
import { toTimestamp } from '@sallyport/protocol/api/ssm-types'
import { AwsError } from '@sallyport/protocol/aws/error'
import { versionSelector } from '@sallyport/server/documents/command-document'
import type { CommandDocument, CommandParameter } from '@sallyport/server/documents/command-schema'
import { readContent } from '@sallyport/server/documents/content-format'
import { contentHash, contentSha1 } from '@sallyport/server/documents/content-hash'
import {
  type AmazonDocument,
  amazonContent,
  amazonDocument,
  amazonDocumentNames,
  documentName,
} from '@sallyport/server/documents/document-name'
import { ALL_PLATFORMS, platformsOf } from '@sallyport/server/documents/platforms'
import type { SessionDocument } from '@sallyport/server/documents/session-documents'
import { parseSessionDocument } from '@sallyport/server/documents/validate'
import { parseCommandDocument } from '@sallyport/server/documents/validate-command'
import type { StoredDocument } from '@sallyport/server/store/documents'
import type { OperationContext } from '../../operation.ts'

/** Amazon's documents are part of the program; they have no history of their own. */
const AMAZON_CREATED = Date.UTC(2026, 0, 1)
/** The quota of versions of a document (control-plane.md 22). */
export const MAXIMUM_VERSIONS = 1000

/** A document with what descriptions need to know beyond its own row. */
export type FoundDocument = StoredDocument & { owner: string; latestVersion: number; defaultVersion: number }

/** Amazon's documents as rows, in the order of their names. */
export function amazonDocuments(): FoundDocument[] {
  return amazonDocumentNames.flatMap(name => {
    const document = amazonDocument(name)
    return document === undefined ? [] : [amazonRow(name, document)]
  })
}

function amazonRow(name: string, document: AmazonDocument): FoundDocument {
  const content = amazonContent(document)
  return {
    accountId: '',
    region: '',
    name,
    version: 1,
    documentType: document.type,
    documentFormat: 'JSON',
    content,
    hash: contentHash(content),
    isDefault: true,
    createdAt: AMAZON_CREATED,
    displayName: null,
    versionName: null,
    targetType: null,
    status: 'Active',
    owner: 'Amazon',
    latestVersion: 1,
    defaultVersion: 1,
  }
}

/** Throws what is wrong with the content of a document of this type, or that there are none of this type. */
export function checkContent(type: string, content: string, format: string): void {
  switch (type) {
    case 'Session':
      parseSessionDocument(content, format)
      return
    case 'Command':
      parseCommandDocument(content, format)
      return
    default:
      throw new AwsError(
        'InvalidDocumentContent',
        `Documents of type ${type} are not supported; there are Command and Session documents (--document-type Command).`,
      )
  }
}

/**
 * The version of a document that a request names, by number or by version name. Throws `InvalidDocument` if there is
 * none of this name, `InvalidDocumentVersion` if not this version.
 */
export async function findDocument(
  { store, scope }: OperationContext,
  nameOrArn: string,
  version: string | undefined,
  versionName?: string,
): Promise<FoundDocument> {
  const name = documentName(nameOrArn, scope)
  if (name === undefined) {
    throw new AwsError('InvalidDocument', `There is no document ${nameOrArn} in this account.`)
  }
  const amazon = amazonDocument(name)
  if (amazon !== undefined) {
    const selector = versionSelector(version)
    if (versionName !== undefined) throw noVersion(name, versionName)
    if (typeof selector === 'number' && selector !== 1) throw noVersion(name, version)
    return amazonRow(name, amazon)
  }
  const named =
    versionName === undefined ? undefined : await versionNamed({ store, scope }, name, versionName)
  const selector = named?.version ?? versionSelector(version)
  const [found, latest, standard] = await Promise.all([
    store.documents.get(scope, name, selector),
    store.documents.get(scope, name, '$LATEST'),
    store.documents.get(scope, name, '$DEFAULT'),
  ])
  if (latest === undefined) throw new AwsError('InvalidDocument', `There is no document named ${name}.`)
  if (versionName !== undefined && named === undefined) throw noVersion(name, versionName)
  if (found === undefined) throw noVersion(name, version)
  return {
    ...found,
    owner: scope.accountId,
    latestVersion: latest.version,
    defaultVersion: standard?.version ?? latest.version,
  }
}

/** The same of a document that is the account's. `doing` is what cannot be done to Amazon's, such as "changed". */
export async function findOwnDocument(
  context: OperationContext,
  name: string,
  doing: string,
  version?: string,
  versionName?: string,
): Promise<FoundDocument> {
  const document = await findDocument(context, name, version, versionName)
  if (document.owner !== 'Amazon') return document
  throw new AwsError('InvalidDocumentOperation', `${name} is owned by Amazon and cannot be ${doing}.`)
}

/** The version of a document that carries a version name. */
export async function versionNamed(
  { store, scope }: Pick<OperationContext, 'store' | 'scope'>,
  name: string,
  versionName: string,
): Promise<StoredDocument | undefined> {
  const { items } = await store.documents.listVersions(scope, name, { limit: MAXIMUM_VERSIONS })
  return items.find(version => version.versionName === versionName)
}

function noVersion(name: string, version: string | undefined): AwsError {
  return new AwsError('InvalidDocumentVersion', `Document ${name} has no version ${version}.`)
}

export function identifyDocument(document: FoundDocument): DocumentIdentifier {
  return {
    Name: document.name,
    Owner: document.owner,
    CreatedDate: toTimestamp(document.createdAt),
    DocumentVersion: String(document.version),
    DocumentType: document.documentType as DocumentType,
    DocumentFormat: document.documentFormat as DocumentFormat,
    SchemaVersion: contentOf(document).schemaVersion,
    PlatformTypes: platformTypes(document),
    DisplayName: document.displayName ?? undefined,
    VersionName: document.versionName ?? undefined,
    TargetType: document.targetType ?? undefined,
  }
}

/** A session document tells agents of all platforms what to do, if only that they cannot. */
export function platformTypes(document: FoundDocument): readonly string[] {
  const content = contentOf(document)
  return 'sessionType' in content ? ALL_PLATFORMS : platformsOf(content)
}

export function describeDocument(document: FoundDocument): DocumentDescription {
  const { description, parameters } = contentOf(document)
  return {
    ...identifyDocument(document),
    Sha1: contentSha1(document.content),
    Hash: document.hash,
    HashType: 'Sha256',
    Status: 'Active',
    Description: description,
    Parameters: parameters && Object.entries(parameters).map(describeParameter),
    LatestVersion: String(document.latestVersion),
    DefaultVersion: String(document.defaultVersion),
  }
}

function describeParameter([name, parameter]: [string, CommandParameter]): DocumentParameter {
  const { default: value, type, description } = parameter
  return {
    Name: name,
    Type: type,
    Description: description,
    DefaultValue: value === undefined || typeof value === 'string' ? value : JSON.stringify(value),
  }
}

/** What was checked when it was stored. */
export function contentOf({ documentFormat, content }: StoredDocument): SessionDocument | CommandDocument {
  return readContent(documentFormat, content) as unknown as SessionDocument | CommandDocument
}
