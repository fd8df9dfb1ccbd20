import { userInfo } from 'node:os'
import { run } from '../e2e/terminal.ts'

/** The login account that every shell of a run has, ours and the peers', so that all run the same start files. */
export type Account = AsyncDisposable & {
  name: string
  /** Whether sessions have to be told to run as it. */
  runAs: boolean
  /** Starts its login shell on a terminal of this machine, with a fresh environment. */
  shell: { file: string; args: string[] }
}

const NAME = 'sallyport-bench'

/**
 * Root gets an account of its own for the run, since sessions do not run as root. Its password is `*`: nobody
 * can log in with one, but sshd does not take the account for locked, as it does with the `!` of useradd(8).
 */
export async function openAccount(): Promise<Account> {
  if (process.getuid?.() !== 0) return ownAccount()
  const made = await run('useradd', ['-m', '-s', '/bin/bash', '-p', '*', NAME])
  if (made.code !== 0 && made.code !== 9) throw new Error(`useradd ${NAME}: ${made.stderr}`)
  const environment = [`HOME=/home/${NAME}`, `USER=${NAME}`, `LOGNAME=${NAME}`, ...COMMON]
  const drop = ['setpriv', `--reuid=${NAME}`, `--regid=${NAME}`, '--init-groups', '--']
  return {
    name: NAME,
    runAs: true,
    shell: { file: '/usr/bin/env', args: ['-i', '-C', '/tmp', ...environment, ...drop, '/bin/bash', '-l'] },
    async [Symbol.asyncDispose]() {
      await run('userdel', ['-r', NAME])
    },
  }
}

const COMMON = ['SHELL=/bin/bash', 'TERM=xterm-256color', 'LANG=C.UTF-8', 'PATH=/usr/local/bin:/usr/bin:/bin']

function ownAccount(): Account {
  const { username, homedir, shell } = userInfo()
  const environment = [`HOME=${homedir}`, `USER=${username}`, `LOGNAME=${username}`, ...COMMON]
  return {
    name: username,
    runAs: false,
    shell: { file: '/usr/bin/env', args: ['-i', ...environment, shell ?? '/bin/sh', '-l'] },
    async [Symbol.asyncDispose]() {},
  }
}
