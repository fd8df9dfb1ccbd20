import { SessionType } from '@sallyport/protocol/handshake'
import { accountOf } from '../account.ts'
import type { ActivityContext, SessionDocument } from '../activity.ts'
import { TerminalActivity } from '../terminal-activity.ts'
import { commandProperties } from './command-properties.ts'

/** `InteractiveCommands`: `sh -c "<commands>"` on a terminal (data-plane.md 14.2). */
export class InteractiveCommand extends TerminalActivity {
  constructor(document: SessionDocument, context: ActivityContext) {
    const sessionType = SessionType.interactiveCommands
    const { commands, runAsElevated } = commandProperties(sessionType, document.properties)
    super(context, {
      sessionType,
      account: accountOf(document, context, runAsElevated),
      program: ['/bin/sh', '-c', commands],
    })
  }
}
