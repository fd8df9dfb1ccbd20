import { jsonRecord } from '@sallyport/protocol/json-record'
import type { ActivityContext, SessionDocument } from './activity.ts'
import { type LoginShell, type LoginShellOptions, loginShell } from './login-shell.ts'
import { ownUser, resolveSessionUser, type SessionUser } from './users.ts'

/** Under whom a session runs what it runs. */
export type Account = {
  user: SessionUser
  /** How to start something as the user. Throws as `loginShell` does. */
  start(options: Pick<LoginShellOptions, 'program' | 'terminal'>): LoginShell
}

const inputsRecord = jsonRecord('inputs of the session document', {
  runAsEnabled: 'json?',
  runAsDefaultUser: 'string?',
})

/**
 * The account of a session (control-plane.md 13.1, 15.1); `elevated` (runAsElevated of a document) keeps the agent's own.
 * Throws if the document makes no sense; rejects with a message for the person at the other end.
 */
export function accountOf(
  document: SessionDocument,
  context: ActivityContext,
  elevated = false,
): Promise<Account> {
  const inputs = inputsRecord.read(document.inputs ?? {})
  const { env: locale, stateDirectory } = context
  const asRoot = context.asRoot && !elevated
  const user = elevated
    ? Promise.resolve(ownUser())
    : resolveSessionUser({
        runAsEnabled: inputs.runAsEnabled === true || inputs.runAsEnabled === 'true',
        runAsUser: context.task.RunAsUser?.trim() || inputs.runAsDefaultUser,
        asRoot,
        stateDirectory,
      })
  return user.then(user => ({
    user,
    start: options => loginShell(user, { asRoot, locale, ...options }),
  }))
}
