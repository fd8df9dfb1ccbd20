import type { Scope } from '../store/schema.ts'
import { amazonCommandDocuments } from './amazon-command-documents.ts'
import type { CommandDocument } from './command-schema.ts'
import { amazonSessionDocuments, type SessionDocument } from './session-documents.ts'

const ARN = /^arn:[^:]+:ssm:([^:]*):([^:]*):document\/([^/]+)$/

export type AmazonDocument =
  | { type: 'Session'; content: SessionDocument }
  | { type: 'Command'; content: CommandDocument }

const amazonDocuments: ReadonlyMap<string, AmazonDocument> = new Map<string, AmazonDocument>([
  ...Object.entries(amazonSessionDocuments).map(([name, content]): [string, AmazonDocument] => [
    name,
    { type: 'Session', content },
  ]),
  ...Object.entries(amazonCommandDocuments).map(([name, content]): [string, AmazonDocument] => [
    name,
    { type: 'Command', content },
  ]),
])

export const amazonDocumentNames: readonly string[] = [...amazonDocuments.keys()].sort()

/** Amazon's document of this name, if there is one. */
export function amazonDocument(name: string): AmazonDocument | undefined {
  return amazonDocuments.get(name)
}

/** Amazon's documents are JSON, written like this. */
export function amazonContent({ content }: AmazonDocument): string {
  return JSON.stringify(content, null, 2)
}

/**
 * The plain name of a document that is given by its name or its ARN; undefined for the ARN of another account or
 * region, which must never stand for the document of that name here.
 */
export function documentName(given: string, scope: Scope): string | undefined {
  if (!given.startsWith('arn:')) return given
  const [, region = '', account = '', name = ''] = ARN.exec(given) ?? []
  const amazon = amazonDocument(name) !== undefined
  const near = region === scope.region || (amazon && region === '')
  return near && (account === scope.accountId || (amazon && account === '')) ? name : undefined
}
