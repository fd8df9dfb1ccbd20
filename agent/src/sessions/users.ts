import { userInfo } from 'node:os'
import { checkUserName, findUser, type SessionUser } from './passwd.ts'
import { type Run, runProgram } from './run-program.ts'
import { resolveSsmUser, type SsmUserOptions } from './ssm-user.ts'

export type { SessionUser } from './passwd.ts'

export type SessionUserOptions = SsmUserOptions & {
  runAsEnabled: boolean
  /** From the document or the principal's tag as the server resolved it, never from a client's parameter. */
  runAsUser?: string | undefined
  /** Whether the agent itself runs as root. */
  asRoot: boolean
  run?: Run
}

/** The account that the agent itself runs under. */
export const ownUser = (): SessionUser => {
  const uid = process.getuid?.() ?? -1
  try {
    const { username, gid, homedir, shell } = userInfo()
    return { name: username, uid, gid, home: homedir, shell: shell ?? '/bin/sh' }
  } catch {
    // A container started with a number that has no passwd entry.
    return { name: String(uid), uid, gid: process.getgid?.() ?? -1, home: '/', shell: '/bin/sh' }
  }
}

const runAsName = (name: string | undefined): string => {
  if (name === undefined || name === '') {
    throw new Error(
      'Unable to start the session: Run As is enabled but no user is given. Set runAsDefaultUser in the session ' +
        'preferences, or the tag SSMSessionRunAs on the principal.',
    )
  }
  checkUserName(name)
  return name
}

const refuseRoot = (user: SessionUser, withGroup: boolean): SessionUser => {
  if (user.uid > 0 && (user.gid > 0 || !withGroup)) return user
  const what = user.uid === 0 ? 'has uid 0' : 'has gid 0'
  throw new Error(
    `Unable to start the session: the user '${user.name}' ${what}, and sessions do not run as root. ` +
      'Choose another user and give it sudo rights where it needs them.',
  )
}

const asRunAsUser = async (name: string, run: Run): Promise<SessionUser> => {
  const user = await findUser(name, run)
  if (user !== undefined) return refuseRoot(user, true)
  throw new Error(
    `Unable to start the session: run-as user '${name}' does not exist on this node. ` +
      'Create it, or change runAsDefaultUser in the session preferences or the tag SSMSessionRunAs of the principal.',
  )
}

/**
 * The account that a session runs under (control-plane.md 15.1): the run-as user; without Run As `ssm-user`, which is
 * created at the first session; under an agent without root its own user. Rejects with a message for the person at the other end.
 */
export const resolveSessionUser = async (options: SessionUserOptions): Promise<SessionUser> => {
  const { runAsEnabled, asRoot, run = runProgram } = options
  if (!asRoot) {
    const own = ownUser()
    const wanted = runAsEnabled ? runAsName(options.runAsUser) : own.name
    if (wanted === own.name) return own
    throw new Error(
      `Unable to start the session: run-as user '${wanted}' was asked for, but the agent on this node runs as '${own.name}' ` +
        'and only root can change users. Run the agent as root, or turn Run As off.',
    )
  }
  if (runAsEnabled) return asRunAsUser(runAsName(options.runAsUser), run)
  return refuseRoot(await resolveSsmUser(run, options), false)
}
