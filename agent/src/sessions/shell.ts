import { SessionType } from '@sallyport/protocol/handshake'
import { jsonRecord } from '@sallyport/protocol/json-record'
import { accountOf } from './account.ts'
import type { ActivityContext, SessionDocument } from './activity.ts'
import { TerminalActivity } from './terminal-activity.ts'

const inputsRecord = jsonRecord('inputs of the session document', { shellProfile: 'json?' })
const profileRecord = jsonRecord('shellProfile', { linux: 'string?' })

/** `Standard_Stream`: the login shell of the session's user on a terminal of its own (data-plane.md 14.1). */
export class Shell extends TerminalActivity {
  constructor(document: SessionDocument, context: ActivityContext) {
    const { shellProfile } = inputsRecord.read(document.inputs ?? {})
    const profile = profileRecord.read(shellProfile ?? {}).linux ?? ''
    super(context, {
      sessionType: SessionType.standardStream,
      account: accountOf(document, context),
      typedFirst: profile === '' ? '' : `${profile}\n`,
    })
  }
}
