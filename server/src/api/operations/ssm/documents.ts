import { createHash } from 'node:crypto'
import type {
  DocumentDescription,
  DocumentIdentifier,
  DocumentParameter,
} from '@sallyport/protocol/api/ssm-documents'
import { toTimestamp } from '@sallyport/protocol/api/ssm-types'
import { AwsError } from '@sallyport/protocol/aws/error'
import { amazonDocument, documentName } from '@sallyport/server/documents/document-name'
import { amazonSessionDocuments, type SessionDocument } from '@sallyport/server/documents/session-documents'
import type { StoredDocument, VersionSelector } from '@sallyport/server/store/documents'
import type { OperationContext } from '../../operation.ts'

const PLATFORMS = ['Windows', 'Linux', 'MacOS']
/** Amazon's documents are part of the program; they have no history of their own. */
const AMAZON_CREATED = Date.UTC(2026, 0, 1)
/** The quota of versions of a document (control-plane.md 22). */
export const MAXIMUM_VERSIONS = 1000

/** A document with what descriptions need to know beyond its own row. */
export type FoundDocument = StoredDocument & { owner: string; latestVersion: number; defaultVersion: number }

/** Amazon's documents as rows, in the order of their names. */
export function amazonDocuments(): FoundDocument[] {
  return Object.entries(amazonSessionDocuments)
    .map(([name, document]) => amazonRow(name, document))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

function amazonRow(name: string, document: SessionDocument): FoundDocument {
  const content = JSON.stringify(document, null, 2)
  return {
    accountId: '',
    region: '',
    name,
    version: 1,
    documentType: 'Session',
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

export function contentHash(content: string): string {
  return createHash('sha256').update(content).digest('hex')
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
    const selector = readVersion(version)
    if (versionName !== undefined) throw noVersion(name, versionName)
    if (typeof selector === 'number' && selector !== 1) throw noVersion(name, version)
    return amazonRow(name, amazon)
  }
  const named =
    versionName === undefined ? undefined : await versionNamed({ store, scope }, name, versionName)
  const selector = named?.version ?? readVersion(version)
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

function readVersion(version: string | undefined): VersionSelector {
  if (version === undefined || version === '$DEFAULT') return '$DEFAULT'
  return version === '$LATEST' ? '$LATEST' : Number(version)
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
    DocumentType: 'Session',
    DocumentFormat: 'JSON',
    SchemaVersion: contentOf(document).schemaVersion,
    PlatformTypes: PLATFORMS,
    DisplayName: document.displayName ?? undefined,
    VersionName: document.versionName ?? undefined,
    TargetType: document.targetType ?? undefined,
  }
}

export function describeDocument(document: FoundDocument): DocumentDescription {
  const { description, parameters } = contentOf(document)
  return {
    ...identifyDocument(document),
    Hash: document.hash,
    HashType: 'Sha256',
    Status: 'Active',
    Description: description,
    Parameters:
      parameters &&
      Object.entries(parameters).map(([name, parameter]): DocumentParameter => {
        const { default: value, type } = parameter
        return {
          Name: name,
          Type: type,
          Description: parameter.description,
          DefaultValue:
            value === undefined ? undefined : typeof value === 'string' ? value : JSON.stringify(value),
        }
      }),
    LatestVersion: String(document.latestVersion),
    DefaultVersion: String(document.defaultVersion),
  }
}

function contentOf(document: StoredDocument): SessionDocument {
  return JSON.parse(document.content) as SessionDocument
}
