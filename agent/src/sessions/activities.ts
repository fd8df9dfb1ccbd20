import { SessionType } from '@sallyport/protocol/handshake'
import { type Activity, type ActivityContext, documentRecord } from './activity.ts'
import { Shell } from './shell.ts'

/** data-plane.md 7.1: the agent takes this schema only. */
const SCHEMA_VERSION = '1.0'

/** Throws with the reason for the user if this agent cannot run such a document. */
export function activityFor(documentContent: unknown, context: ActivityContext): Activity {
  const document = documentRecord.read(documentContent)
  if (document.schemaVersion !== SCHEMA_VERSION) {
    throw new Error(
      `The session document has schema version ${document.schemaVersion}; this agent knows ${SCHEMA_VERSION}.`,
    )
  }
  switch (document.sessionType) {
    case SessionType.standardStream:
      return new Shell(document, context)
    default:
      throw new Error(`This agent cannot run sessions of type ${document.sessionType}.`)
  }
}
