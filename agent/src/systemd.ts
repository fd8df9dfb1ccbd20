import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { replaceFile } from './replace-file.ts'
import { type Run, runProgram } from './sessions/run-program.ts'
import { createdSsmUser, removeSudoers, SSM_USER } from './sessions/ssm-user.ts'
import { UNIT_NAME, type UnitOptions, unitText } from './systemd-unit.ts'

export type HostOptions = {
  unitDirectory?: string
  /** Whether systemd is the running init. Default: /run/systemd/system exists (sd_booted(3)). */
  systemdRunning?: boolean
  run?: Run
}

export type Installed = {
  path: string
  started: boolean
  /** What is left to do by hand, in order; empty when everything was done. */
  commands: string[]
}

export type UninstallOptions = HostOptions & { stateDirectory: string; sudoersDirectory?: string }

export type Uninstalled = {
  removed: string[]
  /** What could not be removed, each with the reason and the command to run. */
  problems: string[]
}

const UNIT_DIRECTORY = '/etc/systemd/system'
const isRunning = (): boolean => existsSync('/run/systemd/system')

const systemctl = async (run: Run, args: string[]): Promise<void> => {
  const { exitCode, output, problem } = await run('systemctl', args)
  if (exitCode === 0) return
  const reason = problem.trim() || output.trim() || `exit code ${exitCode}`
  throw new Error(`systemctl ${args.join(' ')} failed: ${reason}. See: journalctl -u ${UNIT_NAME}`)
}

/**
 * Writes the unit, enables it and (re)starts it. Where systemd is not running (an image build, a chroot) it writes the unit
 * only and answers the commands to run later. Rejects when the unit cannot be written or systemctl fails.
 */
export const installUnit = async (options: UnitOptions & HostOptions): Promise<Installed> => {
  const { unitDirectory = UNIT_DIRECTORY, systemdRunning = isRunning(), run = runProgram } = options
  const path = join(unitDirectory, UNIT_NAME)
  const text = unitText(options)
  await mkdir(unitDirectory, { recursive: true })
  await replaceFile(path, text, 0o644)
  // restart starts a stopped unit too, and makes a second installation take effect.
  const steps = [['daemon-reload'], ['enable', UNIT_NAME], ['restart', UNIT_NAME]]
  if (!systemdRunning)
    return { path, started: false, commands: steps.map(step => `systemctl ${step.join(' ')}`) }
  for (const step of steps) await systemctl(run, step)
  return { path, started: true, commands: [] }
}

// A slip in a configuration file must not make an uninstall delete /var or somebody's home.
const checkStateDirectory = (directory: string): string => {
  const path = resolve(directory)
  const holdsHome = !relative(path, homedir()).startsWith('..')
  if (isAbsolute(directory) && path.split('/').length > 2 && !holdsHome) return path
  throw new Error(
    `Refusing to remove ${JSON.stringify(directory)} as the state directory: it must be absolute, below a top-level ` +
      'directory, and must not contain a home directory.',
  )
}

/**
 * Stops the agent and removes what it made: unit, sudoers file, `ssm-user` if the agent created it, state directory. A step that fails
 * does not stop the others; it is in `problems`.
 */
export const uninstallUnit = async (options: UninstallOptions): Promise<Uninstalled> => {
  const { unitDirectory = UNIT_DIRECTORY, systemdRunning = isRunning(), run = runProgram } = options
  const stateDirectory = checkStateDirectory(options.stateDirectory)
  const path = join(unitDirectory, UNIT_NAME)
  const removed: string[] = []
  const problems: string[] = []
  const attempt = async (step: () => Promise<string | undefined>, advice: string): Promise<boolean> => {
    try {
      const what = await step()
      if (what !== undefined) removed.push(what)
      return true
    } catch (error) {
      problems.push(`${error instanceof Error ? error.message : String(error)} (${advice})`)
      return false
    }
  }

  if (existsSync(path)) {
    if (systemdRunning) {
      const stop = ['disable', '--now', UNIT_NAME]
      await attempt(async () => void (await systemctl(run, stop)), `run: systemctl ${stop.join(' ')}`)
    }
    await attempt(() => removePath(path), `remove ${path}`)
    if (systemdRunning) {
      await attempt(
        async () => void (await systemctl(run, ['daemon-reload'])),
        'run: systemctl daemon-reload',
      )
    }
  }
  await attempt(async () => {
    const ours = await removeSudoers(options.sudoersDirectory)
    return ours ? 'sudoers file' : undefined
  }, 'remove the file')
  const userIsGone = await attempt(() => removeUser(stateDirectory, run), `run: userdel -r ${SSM_USER}`)
  // The record that the account is ours lives there, so it outlasts a failed userdel and a second uninstall can finish.
  if (userIsGone) await attempt(() => removePath(stateDirectory), `remove ${stateDirectory}`)
  else
    problems.push(`${stateDirectory} was kept, because it records that ${SSM_USER} is ours. Uninstall again.`)
  return { removed, problems }
}

const removePath = async (path: string): Promise<string | undefined> => {
  if (!existsSync(path)) return undefined
  await rm(path, { recursive: true })
  return path
}

const removeUser = async (stateDirectory: string, run: Run): Promise<string | undefined> => {
  if (!createdSsmUser(stateDirectory)) return undefined
  const { exitCode, problem } = await run('userdel', ['-r', SSM_USER])
  // userdel(8): 6 no such user; 12 the home directory could not be removed, the account is gone.
  if (exitCode === 6) return undefined
  if (exitCode !== 0 && exitCode !== 12) {
    throw new Error(`userdel -r ${SSM_USER} failed: ${problem.trim() || `exit code ${exitCode}`}`)
  }
  return `user ${SSM_USER}`
}
