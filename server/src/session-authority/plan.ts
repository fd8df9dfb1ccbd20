import { documentName } from '../documents/document-name.ts'
import { PREFERENCES_DOCUMENT } from '../documents/session-documents.ts'
import type { Access } from '../iam/access.ts'
import type { AccessCheck, AccessPlan, ConditionValues } from '../iam/access-plan.ts'
import { documentArn, nodeArn, type Realm, sessionArn } from '../iam/arns.ts'
import { resourceTagConditions } from '../iam/tag-conditions.ts'
import { kindOfNode, nodeResourceTypes } from '../store/node-filters.ts'
import type { Session } from '../store/sessions.ts'
import type { Tag } from '../store/tags.ts'
import type { Destination } from './destination.ts'

/** An OperationContext will do. */
export type PlanSources = Realm & { access: Access }

/** What is wanted by StartSession, or was. */
export type WantedSession = {
  nodeId: string
  /** A name or an ARN, undefined if the request names none. */
  document: string | undefined
  /** Undefined for all but port sessions, and where the request is so wrong that it has none. */
  destination: Destination | undefined
}

export const START_SESSION = 'ssm:StartSession'
export const RESUME_SESSION = 'ssm:ResumeSession'
/** control-plane.md 34.2 */
const DOCUMENT_CHECK = 'ssm:SessionDocumentAccessCheck'
/** No user has this id and no node this name (control-plane.md 28). */
const NOBODY = 'none'

/**
 * What StartSession takes: the node and the session document, both with where the session leads. A document that is
 * not named counts only for policies that ask for it (control-plane.md 34.2).
 */
export async function startSessionPlan(sources: PlanSources, wanted: WantedSession): Promise<AccessPlan> {
  const { document } = wanted
  const name = documentName(document ?? PREFERENCES_DOCUMENT, sources.scope)
  const [ofNode, ofDocument] = await Promise.all([
    nodeTags(sources, wanted.nodeId),
    name === undefined ? [] : sources.access.tagsOf('Document', name),
  ])
  const destination = destinationConditions(wanted.destination)
  const node = (checked: boolean): AccessCheck => ({
    action: START_SESSION,
    resource: nodeArn(sources, wanted.nodeId),
    conditions: { ...resourceTagConditions(ofNode), ...destination, [DOCUMENT_CHECK]: String(checked) },
  })
  const both: AccessCheck[] = [
    node(true),
    {
      action: START_SESSION,
      // Another account's is refused under its own name, never looked up under ours (security-cases.md 18).
      resource: name === undefined ? (document ?? '') : documentArn(sources, name),
      conditions: {
        ...resourceTagConditions(ofDocument),
        ...destination,
        [DOCUMENT_CHECK]: 'true',
        'ssm:DocumentType': 'Session',
      },
    },
  ]
  return document === undefined ? { all: [node(false)], otherwise: both } : { all: both }
}

/**
 * An action on a session, with the tags that it has by itself (control-plane.md 34.3). One that is not there looks like
 * that of somebody else, down to the message.
 */
export function sessionCheck(
  realm: Realm,
  sessionId: string,
  session: Pick<Session, 'ownerUserId' | 'nodeId'> | undefined,
  action: string,
): AccessCheck {
  const { ownerUserId = NOBODY, nodeId = NOBODY } = session ?? {}
  const tags = [
    { Key: 'aws:ssmmessages:session-id', Value: ownerUserId },
    { Key: 'aws:ssmmessages:target-id', Value: nodeId },
  ]
  return { action, resource: sessionArn(realm, sessionId), conditions: resourceTagConditions(tags) }
}

function nodeTags({ access }: PlanSources, nodeId: string): Promise<readonly Tag[]> {
  return access.tagsOf(nodeResourceTypes[kindOfNode(nodeId)], nodeId)
}

function destinationConditions(destination: Destination | undefined): ConditionValues {
  if (destination === undefined) return {}
  return {
    'sallyport:DestinationHost': destination.host,
    'sallyport:DestinationPort': String(destination.port),
  }
}
