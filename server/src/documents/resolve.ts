import { AwsError } from '@sallyport/protocol/aws/error'
import type { Documents, StoredDocument } from '../store/documents.ts'
import type { Scope } from '../store/schema.ts'
import { isObject, referencesIn, replaceReferences } from './content.ts'
import { readContent } from './content-format.ts'
import { amazonDocument, documentName } from './document-name.ts'
import { defaultPreferences, PREFERENCES_DOCUMENT, type SessionDocument } from './session-documents.ts'

export type ResolvedDocument = { name: string; version: string; content: SessionDocument }

/**
 * The session document that a session runs by: the named one, or the account's preferences (control-plane.md 19).
 * One that says nothing of preferences, as Amazon's own, goes by those of the account: they are "general preferences
 * for all sessions" (docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-preferences-cli.html).
 * Parameters that they refer to have their defaults then, since a caller can give those of the named document only.
 * Throws `InvalidDocument` if there is none, it is of another type, or the preferences do not fit it.
 */
export async function resolveSessionDocument(
  documents: Documents,
  scope: Scope,
  given: string | undefined,
): Promise<ResolvedDocument> {
  const document = await namedDocument(documents, scope, given)
  if (document.content.inputs !== undefined || document.name === PREFERENCES_DOCUMENT) return document
  const preferences = await documents.get(scope, PREFERENCES_DOCUMENT, '$LATEST')
  if (preferences === undefined) return document
  const { inputs = {}, parameters = {} } = contentOf(preferences)
  const filled = withDefaults(inputs, parameters) as NonNullable<SessionDocument['inputs']>
  return { ...document, content: { ...document.content, inputs: filled } }
}

/** What is left to refer to would be looked up among the parameters of the document that the agent gets, another's. */
function withDefaults(part: unknown, parameters: NonNullable<SessionDocument['parameters']>): unknown {
  if (isObject(part)) {
    return Object.fromEntries(
      Object.entries(part).map(([key, each]) => [key, withDefaults(each, parameters)]),
    )
  }
  if (typeof part !== 'string') return part
  const filled = replaceReferences(part, (name, reference) => {
    const value = Object.hasOwn(parameters, name) ? parameters[name]?.default : undefined
    return value === undefined ? reference : typeof value === 'string' ? value : JSON.stringify(value)
  })
  const [left] = referencesIn(filled)
  if (left === undefined) return filled
  throw new AwsError(
    'InvalidDocument',
    `The preferences of this account, ${PREFERENCES_DOCUMENT}, refer to {{ ${left} }}, which no default of their parameters tells. For sessions by other documents they need one.`,
  )
}

async function namedDocument(
  documents: Documents,
  scope: Scope,
  given: string | undefined,
): Promise<ResolvedDocument> {
  const name = documentName(given ?? PREFERENCES_DOCUMENT, scope)
  if (name === undefined)
    throw new AwsError('InvalidDocument', `There is no document ${given} in this account.`)
  const amazon = amazonDocument(name)
  if (amazon?.type === 'Session') return { name, version: '1', content: amazon.content }
  if (amazon !== undefined) throw notOfSessions(name, amazon.type)
  // Those who change their preferences by AWS's guide call UpdateDocument and nothing more.
  const stored = await documents.get(scope, name, given === undefined ? '$LATEST' : '$DEFAULT')
  if (stored === undefined) {
    if (name === PREFERENCES_DOCUMENT) return { name, version: '1', content: defaultPreferences }
    throw new AwsError('InvalidDocument', `There is no document named ${name}.`)
  }
  if (stored.documentType !== 'Session') throw notOfSessions(name, stored.documentType)
  return { name, version: String(stored.version), content: contentOf(stored) }
}

function contentOf({ documentFormat, content }: StoredDocument): SessionDocument {
  return readContent(documentFormat, content) as SessionDocument
}

function notOfSessions(name: string, type: string): AwsError {
  return new AwsError(
    'InvalidDocument',
    `Document ${name} is of type ${type}; a session needs one of type Session.`,
  )
}
