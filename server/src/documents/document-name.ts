import type { Scope } from '../store/schema.ts'
import { amazonSessionDocuments, type SessionDocument } from './session-documents.ts'

const ARN = /^arn:[^:]+:ssm:([^:]*):([^:]*):document\/([^/]+)$/

/** Amazon's document of this name, if there is one. */
export function amazonDocument(name: string): SessionDocument | undefined {
  return Object.hasOwn(amazonSessionDocuments, name) ? amazonSessionDocuments[name] : undefined
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
