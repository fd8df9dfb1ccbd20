import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from '../replace-file.ts'
import { findUser, type SessionUser } from './passwd.ts'
import type { Run } from './run-program.ts'

/** The account of sessions when the agent is root and Run As is off (control-plane.md 15.1). */
export const SSM_USER = 'ssm-user'

export const SUDOERS_FILE = 'ssm-agent-users'
export const SUDOERS_DIRECTORY = '/etc/sudoers.d'
const SUDOERS_MARK = '# Sessions of sallyport-agent.'
const SUDOERS_TEXT = `${SUDOERS_MARK} Removed by "sallyport agent uninstall".\n${SSM_USER} ALL=(ALL) NOPASSWD:ALL\n`

const CREATED_MARKER = 'created-ssm-user'

export type SsmUserOptions = {
  /** Passwordless sudo for a newly created account, as AWS's agent gives it. Default true. */
  sudo?: boolean
  /** Where it is recorded that the account is ours, so that uninstalling can remove it. */
  stateDirectory?: string
  sudoersDirectory?: string
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT'

/**
 * Writes the sudoers file unless there is one. It appears whole and with mode 0440. Without sudo on the node there is
 * no directory and nothing to do.
 */
export const writeSudoers = async (directory = SUDOERS_DIRECTORY): Promise<void> => {
  const path = join(directory, SUDOERS_FILE)
  if (!existsSync(directory) || existsSync(path)) return
  await replaceFile(path, SUDOERS_TEXT, 0o440)
}

/** Removes the sudoers file if this agent wrote it. Answers whether it did. */
export const removeSudoers = async (directory = SUDOERS_DIRECTORY): Promise<boolean> => {
  const path = join(directory, SUDOERS_FILE)
  const text = await readFile(path, 'utf8').catch(error => {
    if (isMissing(error)) return ''
    throw error
  })
  if (!text.startsWith(SUDOERS_MARK)) return false
  await rm(path)
  return true
}

/** True if the agent made the account, by the record in the state directory. */
export const createdSsmUser = (stateDirectory: string): boolean =>
  existsSync(join(stateDirectory, CREATED_MARKER))

const recordCreation = async (stateDirectory: string): Promise<void> => {
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 })
  await writeFile(join(stateDirectory, CREATED_MARKER), `${SSM_USER}\n`, { mode: 0o600 })
}

const addUser = async (run: Run): Promise<void> => {
  const shell = ['/bin/bash', '/usr/bin/bash'].find(path => existsSync(path)) ?? '/bin/sh'
  const { exitCode, problem } = await run('useradd', ['-m', '-s', shell, SSM_USER])
  if (exitCode === 0) return
  const advice = `Create the user '${SSM_USER}' on this node, or enable Run As with a user that exists.`
  if (exitCode === 127) {
    throw new Error(
      `Unable to start the session: the user '${SSM_USER}' does not exist and this node has no useradd. ${advice}`,
    )
  }
  throw new Error(
    `Unable to start the session: useradd could not create '${SSM_USER}' (${problem.trim() || `exit code ${exitCode}`}). ${advice}`,
  )
}

const findOrCreate = async (run: Run, options: SsmUserOptions): Promise<SessionUser> => {
  const existing = await findUser(SSM_USER, run)
  if (existing !== undefined) return existing
  await addUser(run)
  if (options.stateDirectory !== undefined) await recordCreation(options.stateDirectory)
  if (options.sudo !== false) await writeSudoers(options.sudoersDirectory)
  const user = await findUser(SSM_USER, run)
  if (user === undefined)
    throw new Error(`Unable to start the session: '${SSM_USER}' is missing right after useradd made it.`)
  return user
}

let resolving: Promise<SessionUser> | undefined

/**
 * `ssm-user`, created if it is not there. Sessions that start at the same time share one creation: the second useradd
 * would fail, and the account is to be found before useradd has made its home.
 */
export const resolveSsmUser = (run: Run, options: SsmUserOptions): Promise<SessionUser> => {
  resolving ??= findOrCreate(run, options).finally(() => {
    resolving = undefined
  })
  return resolving
}
