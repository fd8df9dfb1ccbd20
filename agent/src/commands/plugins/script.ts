import { rmSync, statSync, writeFileSync } from 'node:fs'
import { isAbsolute, join, relative } from 'node:path'
import { type Json, memberOf, textOf } from '../json.ts'
import type { PluginEnd, PluginRun } from '../plugin.ts'
import { runScript } from '../run-script.ts'
import { scriptEnvironment } from '../script-environment.ts'

/** Seconds (control-plane.md 12.5). */
const LEAST_TIMEOUT = 5
const MOST_TIMEOUT = 172_800
const DEFAULT_TIMEOUT = 3_600
const REBOOT = process.platform === 'win32' ? 3_010 : 194
/** Of a script that was ended on cancel or time-out. */
const STOPPED = 137

export type Interpreter = {
  scriptName: string
  command(script: string, env: Readonly<Record<string, string>>): { file: string; args: string[] }
}

/** Writes `runCommand` to a file and runs that. */
export async function runCommands(run: PluginRun, interpreter: Interpreter): Promise<PluginEnd> {
  const { inputs, output, request } = run
  const env = await scriptEnvironment(run)
  const cwd = workingDirectory(textOf(inputs, 'workingDirectory'), run.downloads)
  const script = join(run.directory, interpreter.scriptName)
  const program = { ...interpreter.command(script, env), cwd, env }
  writeScript(script, scriptOf(inputs))
  const timeoutMs = timeoutOf(memberOf(inputs, 'timeoutSeconds')) * 1000
  const end = await runScript(program, {
    signal: request.signal,
    timeoutMs,
    output,
    memoryMiB: request.environment.memoryMiB,
  })
  switch (end.kind) {
    case 'cancelled':
      return { status: 'Cancelled', code: STOPPED }
    case 'timed-out':
      return { status: 'TimedOut', code: STOPPED }
    case 'not-started':
      throw new Error(`failed to run commands: ${end.why}`)
    case 'exited':
      if (end.code === 0) return { status: 'Success', code: 0 }
      if (end.code === REBOOT) return { status: 'SuccessAndReboot', code: REBOOT }
      await output.say('stderr', `failed to run commands: exit status ${end.code}`)
      return { status: 'Failed', code: end.code }
  }
}

/** A text, a list of texts, or lists in it where a reference stood for one. */
function scriptOf(inputs: Json): string {
  const commands = memberOf(inputs, 'runCommand')
  const lines: unknown[] = Array.isArray(commands) ? commands.flat(Number.POSITIVE_INFINITY) : [commands]
  if (
    !lines.every(line => typeof line === 'string' || typeof line === 'number' || typeof line === 'boolean')
  ) {
    throw new Error('Invalid format in plugin properties: runCommand must be a text or a list of texts.')
  }
  return `${lines.join('\n')}\n`
}

/**
 * All at once: while the file was open for writing, a child that another part of the agent starts in between would have it
 * open as well, and nobody could run it (ETXTBSY).
 */
function writeScript(path: string, text: string): void {
  rmSync(path, { force: true })
  writeFileSync(path, text, { flag: 'wx', mode: 0o700 })
}

/** An absolute one as it is; any other below the downloads if it is there; otherwise where the agent is (undefined). */
function workingDirectory(given: string, downloads: string): string | undefined {
  if (given.includes('\0')) throw new Error('workingDirectory contains a zero byte.')
  const path = isAbsolute(given) ? given : join(downloads, given)
  if (!isAbsolute(given) && relative(downloads, path).startsWith('..')) {
    throw new Error(`workingDirectory '${given}' leads out of the directory of the command.`)
  }
  const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory()
  if (isDirectory) return path
  if (!isAbsolute(given)) return undefined
  const why = isDirectory === undefined ? 'no such file or directory' : 'not a directory'
  throw new Error(`failed to run commands: chdir ${given}: ${why}`)
}

/** Seconds, from a number or its text; what makes no sense is the default, as with AWS's agent. */
function timeoutOf(given: unknown): number {
  const seconds =
    typeof given === 'number' || (typeof given === 'string' && given !== '') ? Number(given) : Number.NaN
  const whole = Math.trunc(seconds)
  return whole >= LEAST_TIMEOUT && whole <= MOST_TIMEOUT ? whole : DEFAULT_TIMEOUT
}
