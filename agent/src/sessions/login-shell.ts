import { accessSync, constants, existsSync, realpathSync } from 'node:fs'
import { basename } from 'node:path'
import type { SessionUser } from './passwd.ts'
import { SSM_USER } from './ssm-user.ts'

export type LoginShellOptions = {
  /** Whether the agent itself runs as root, so that the session has to drop it. */
  asRoot: boolean
  /** What to run in place of an interactive login shell: a program, looked up in the user's PATH, and its arguments. */
  program?: readonly string[]
  /** Whether it runs on a terminal, and so has TERM. Default true. */
  terminal?: boolean
  /** Where LANG, LC_* and TZ are taken from: the agent's environment. Nothing else of it is used. */
  locale?: Readonly<Record<string, string | undefined>>
  setprivPaths?: readonly string[]
}

/** What to start, for `openPty` or `spawn`. */
export type LoginShell = { file: string; args: string[]; env: Record<string, string>; cwd: string }

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv']

const mayUse = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const shellOf = (user: SessionUser): string => {
  const refuses = ['nologin', 'false'].includes(basename(user.shell))
  if (refuses && user.name === SSM_USER) return ['/bin/bash', '/usr/bin/bash'].find(mayUse) ?? '/bin/sh'
  if (refuses) {
    // The administrator closed this account; opening /bin/sh for it would undo that.
    throw new Error(
      `Unable to start the session: the login shell of '${user.name}' is ${user.shell}, so the account takes no logins. ` +
        `Give it a shell (usermod -s /bin/sh ${user.name}) or choose another run-as user.`,
    )
  }
  if (user.shell.startsWith('/') && mayUse(user.shell)) return user.shell
  throw new Error(
    `Unable to start the session: the login shell of '${user.name}', ${user.shell}, is not installed. ` +
      `Install it or change it (usermod -s /bin/sh ${user.name}).`,
  )
}

const environment = (user: SessionUser, shell: string, cwd: string, options: LoginShellOptions) => {
  const { locale, terminal = true } = options
  const env: Record<string, string> = {
    HOME: user.home,
    USER: user.name,
    LOGNAME: user.name,
    SHELL: shell,
    PATH: DEFAULT_PATH,
    PWD: cwd,
    ...(terminal && { TERM: 'xterm-256color' }),
    LANG: 'C.UTF-8',
  }
  for (const [name, value] of Object.entries(locale ?? {})) {
    if (value && /^(LANG|LANGUAGE|LC_[A-Z]+|TZ)$/.test(name)) env[name] = value
  }
  return env
}

const findSetpriv = (paths: readonly string[]): string => {
  // The setpriv of busybox has neither --reuid nor --init-groups.
  const found = paths.find(path => existsSync(path) && basename(realpathSync(path)) !== 'busybox')
  if (found !== undefined) return found
  throw new Error(
    `Unable to start the session: setpriv of util-linux is not installed (looked for ${paths.join(', ')}), and without it the agent ` +
      'cannot give up root. Install util-linux (on Alpine: apk add setpriv).',
  )
}

// All three ids at once and the groups of the user only (security-cases.md 41). The kernel empties the permitted, effective and
// ambient sets when the last uid leaves 0; the inheritable set is cleared here. The bounding set stays whole and
// no_new_privs unset: either would take from sudo what it needs to be root.
const dropPrivileges = ({ uid, gid }: SessionUser): string[] => [
  `--reuid=${uid}`,
  `--regid=${gid}`,
  '--init-groups',
  '--inh-caps=-all',
  '--',
]

/**
 * How to start the login shell of `user`, or another program, with an environment built from nothing. Throws, with what to
 * do, when the account takes no logins, its shell is missing, or root cannot be given up.
 */
export const loginShell = (user: SessionUser, options: LoginShellOptions): LoginShell => {
  const shell = shellOf(user)
  const cwd = user.home.startsWith('/') && mayUse(user.home) ? user.home : '/'
  const [file = shell, ...args] = options.program ?? [shell, '-l']
  const env = environment(user, shell, cwd, options)
  if (!options.asRoot) return { file, args, env, cwd }
  if (user.uid === 0) throw new Error('Unable to start the session: sessions do not run as root.')
  const setpriv = findSetpriv(options.setprivPaths ?? SETPRIV)
  return { file: setpriv, args: [...dropPrivileges(user), file, ...args], env, cwd }
}
