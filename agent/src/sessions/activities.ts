import { SessionType } from '@sallyport/protocol/handshake'
import { type Activity, type ActivityContext, documentRecord } from './activity.ts'
import { InteractiveCommand } from './commands/interactive-command.ts'
import { NonInteractiveCommand } from './commands/non-interactive-command.ts'
import { PortSession } from './port/port-session.ts'
import { Shell } from './shell.ts'
import { substitute } from './substitute.ts'

/** data-plane.md 7.1: the agent takes this schema only. */
const SCHEMA_VERSION = '1.0'

/** Throws with the reason for the user if this agent cannot run such a document. */
export function activityFor(documentContent: unknown, context: ActivityContext): Activity {
  const document = substitute(documentRecord.read(documentContent), context.task.Parameters)
  if (document.schemaVersion !== SCHEMA_VERSION) {
    throw new Error(
      `The session document has schema version ${document.schemaVersion}; this agent knows ${SCHEMA_VERSION}.`,
    )
  }
  switch (document.sessionType) {
    case SessionType.standardStream:
      return new Shell(document, context)
    case SessionType.interactiveCommands:
      return new InteractiveCommand(document, context)
    case SessionType.nonInteractiveCommands:
      return new NonInteractiveCommand(document, context)
    case SessionType.port: {
      const session = new PortSession(document, context)
      session.refuseForbidden()
      return session
    }
    default:
      throw new Error(`This agent cannot run sessions of type ${document.sessionType}.`)
  }
}
