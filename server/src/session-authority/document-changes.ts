import { isDeepStrictEqual } from 'node:util'
import { AwsError } from '@sallyport/protocol/aws/error'
import { checkAgent } from '../documents/agent-requirements.ts'
import { isObject } from '../documents/content.ts'
import { bindParameters } from '../documents/parameters.ts'
import type { ResolvedDocument } from '../documents/resolve.ts'
import type { SessionDocument } from '../documents/session-documents.ts'
import type { ManagedNode } from '../store/nodes.ts'
import { type BoundParameters, type Destination, destinationOf } from './destination.ts'

/** The session as it was started. */
export type StartedSession = { content: SessionDocument; parameters: BoundParameters }

/** Why a document would not start a session any more as it once did; undefined if it would. */
export function documentChange(
  document: ResolvedDocument,
  started: StartedSession,
  node: ManagedNode,
): string | undefined {
  const { name, content } = document
  const before = started.content
  if (content.sessionType !== before.sessionType) {
    return `document ${name} starts sessions of type ${content.sessionType} now, not ${before.sessionType}`
  }
  try {
    const bound = bindParameters(content, asGiven(content, started.parameters))
    const destination = destinationOf(content, bound)
    if (!isDeepStrictEqual(destination, destinationOf(before, started.parameters)))
      return `document ${name} leads to another destination now`
    if (destination !== undefined && narrowed(before, content, destination))
      return `document ${name} changed its allowedDestinations`
    checkAgent(document, node)
    return undefined
  } catch (error) {
    if (error instanceof AwsError) return `document ${name} changed: ${error.message}`
    throw error
  }
}

/** As a request has them: lists. What is the document's own default needs no one's permission. */
function asGiven(document: SessionDocument, parameters: BoundParameters): Record<string, readonly string[]> {
  const given = Object.entries(parameters).filter(
    ([name, value]) => !isDeepStrictEqual(document.parameters?.[name]?.default, value),
  )
  return Object.fromEntries(
    given.map(([name, value]) => [name, typeof value === 'string' ? [value] : [...value]]),
  )
}

/**
 * Whether a destination that was allowed might not be any more. The agent goes by the list that the session began with,
 * and only it knows which addresses a name has: so a list may grow, or name the destination itself.
 */
function narrowed(before: SessionDocument, now: SessionDocument, { host, port }: Destination): boolean {
  const allowed = allowedDestinations(now)
  if (allowed === undefined) return false
  if (['*', host].some(each => [each, `${each}:*`, `${each}:${port}`].some(entry => allowed.includes(entry))))
    return false
  const former = allowedDestinations(before)
  return former === undefined || !former.every(entry => allowed.includes(entry))
}

function allowedDestinations({ properties }: SessionDocument): readonly unknown[] | undefined {
  if (!isObject(properties) || properties.allowedDestinations === undefined) return undefined
  return Array.isArray(properties.allowedDestinations) ? properties.allowedDestinations : []
}
