import { PREFERENCES_DOCUMENT, type SessionDocument } from '../documents/session-documents.ts'
import type { Person } from '../iam/principal.ts'
import type { RequestFacts } from '../iam/request-facts.ts'
import type { Json } from '../store/schema.ts'
import type { Session } from '../store/sessions.ts'
import { type BoundParameters, destinationOf } from './destination.ts'
import type { WantedSession } from './plan.ts'

/** Who started a session and how, as far as deciding about it again needs it. Where it leads says its document. */
export type StartedBy = {
  person: Person
  facts: Omit<RequestFacts, 'now'>
  /** Whether the request named a document, which policies may tell apart (control-plane.md 34.2). */
  documentNamed: boolean
  /** Who resumed it since with other credentials, of one key the last. The session hangs on each of them. */
  resumedBy?: readonly ResumedBy[]
}

export type ResumedBy = Pick<StartedBy, 'person' | 'facts'>

/** A user has two keys; a session of a role may be resumed by all who have the role and take its session's name. */
const MAXIMUM_RESUMED_BY = 10

/** For the session's row. */
export function authorityRecord(person: Person, facts: RequestFacts, documentNamed: boolean): Json {
  const { now: _, ...lasting } = facts
  return { person, facts: lasting, documentNamed } as Json
}

/**
 * For the session's row, when somebody resumes it: whoever holds its channel from then on loses it with the credentials
 * that got it, not with those that the session was started with alone.
 */
export function resumedRecord(before: Json, person: Person, facts: RequestFacts): Json {
  const started = before as unknown as StartedBy
  if (isSameKey(started.person, person)) return before
  const { now: _, ...lasting } = facts
  const others = (started.resumedBy ?? []).filter(other => sourceKey(other.person) !== sourceKey(person))
  const resumedBy = [...others, { person, facts: lasting }].slice(-MAXIMUM_RESUMED_BY)
  return { ...started, resumedBy } as unknown as Json
}

function sourceKey(person: Person): string {
  return person.kind === 'user' ? person.longTermKeyId : person.source.longTermKeyId
}

function isSameKey(one: Person, other: Person): boolean {
  return sourceKey(one) === sourceKey(other) && one.temporary?.accessKeyId === other.temporary?.accessKeyId
}

/**
 * Who started a session. Of one that is older than its record only its owner is known, who was a user then: nothing
 * that conditions might ask of the request.
 */
export function startedBy(session: Session): StartedBy {
  const { authority, ownerArn, ownerUserId, documentName } = session
  if (authority !== null) return authority as unknown as StartedBy
  const userName = ownerArn.slice(ownerArn.lastIndexOf('/') + 1)
  return {
    person: { kind: 'user', arn: ownerArn, userId: ownerUserId, userName, longTermKeyId: '' },
    facts: { sourceIp: '', secureTransport: true, userAgent: '' },
    documentNamed: documentName !== PREFERENCES_DOCUMENT,
  }
}

/** What StartSession was asked for. */
export function wantedOf(session: Session): WantedSession {
  const { nodeId, documentName, documentContent, parameters } = session
  return {
    nodeId,
    document: startedBy(session).documentNamed ? documentName : undefined,
    destination: destinationOf(documentContent as SessionDocument, parameters as BoundParameters),
  }
}

/** When the credentials expire that a session was started with, null for those that do not. */
export function credentialsExpireAt(session: Session): number | null {
  if (session.authority === null) return null
  return startedBy(session).person.temporary?.expiresAt ?? null
}
