import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { readAgentConfig } from '../config.ts'
import { describeProgram, type RunningRelease, releaseToRun } from './releases.ts'

const RUNNING = Symbol.for('sallyport.agent.release')
/** What one program says to the next of the same process, which has modules of its own. */
const handed = globalThis as { [RUNNING]?: RunningRelease | undefined }

/** The release that this program is, if it is not the one that was installed. */
export function runningRelease(): RunningRelease | undefined {
  return handed[RUNNING]
}

/** The script that was installed, whichever runs now. */
export function installedProgram(): string {
  return process.argv[1] ?? ''
}

/**
 * `sallyport agent run` begins here: an agent that updated itself lies in its state directory, and runs in this process
 * in place of the installed one, which is not even loaded. Comes back only if there is none.
 */
export async function handOver(argv: readonly string[]): Promise<void> {
  if (argv[0] !== 'run' || runningRelease() !== undefined) return
  const stateDirectory = stateDirectoryOf(argv.slice(1))
  if (stateDirectory !== undefined) await runChosen(stateDirectory)
}

/** Runs what is chosen now, after the agent of this process has stopped. Does not come back. */
export async function startAnew(stateDirectory: string): Promise<void> {
  await runChosen(stateDirectory)
  await load(installedProgram())
}

/** Comes back if the installed program is to run: also where the chosen one cannot, or nobody could reach the node again. */
async function runChosen(stateDirectory: string): Promise<void> {
  handed[RUNNING] = undefined
  try {
    const release = await releaseToRun(stateDirectory, describeProgram(installedProgram())?.ReleaseId)
    if (release === undefined) return
    handed[RUNNING] = release
    await load(release.entry)
  } catch (error) {
    handed[RUNNING] = undefined
    const why = (error as Error).message
    process.stderr.write(
      `sallyport agent: the version that it was updated to cannot be run, the installed one is: ${why}\n`,
    )
  }
}

/** The entry ends the process itself. */
async function load(entry: string): Promise<void> {
  // A module runs once for each URL, however often it is imported.
  await import(`${pathToFileURL(entry).href}?start=${Date.now()}`)
}

/** Undefined for arguments that the agent itself has to complain about. */
function stateDirectoryOf(args: string[]): string | undefined {
  try {
    const { values } = parseArgs({ args, options: { 'state-dir': { type: 'string' } } })
    return readAgentConfig(process.env, { stateDir: values['state-dir'] }).stateDirectory
  } catch {
    return undefined
  }
}
