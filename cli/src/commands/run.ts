import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import type { Command } from '@sallyport/protocol/api/ssm-commands'
import type { CommandContext } from '../context.ts'
import { EXIT, usageError } from '../errors.ts'
import { inert } from '../inert.ts'
import { askYesNo } from '../run/interrupts.ts'
import type { KeySource } from '../run/keys.ts'
import { commandRequest, type RequestOptions, readsStdin } from '../run/request.ts'
import { type OutputMode, RunningCommand } from '../run/running-command.ts'
import { Screen, type ScreenOptions } from '../run/screen.ts'
import { sendCommand } from '../run/send.ts'
import { chooseTargets, type TargetOptions } from '../run/targets.ts'
import type { SettingsOptions } from '../settings.ts'

export type RunOptions = SettingsOptions &
  RequestOptions &
  TargetOptions & { output?: string; json?: boolean; jsonLines?: boolean; detach?: boolean }

export type RunParts = {
  streams?: ScreenOptions
  stdin?: KeySource
  process?: Pick<NodeJS.Process, 'on' | 'off'>
  wait?: (ms: number) => Promise<void>
  readScript?: (file?: string) => Promise<string>
}

const MODES = ['prefix', 'grouped', 'none'] as const

/**
 * `sallyport run`: one command on many nodes. Resolves with 0 if all succeeded; of a single node with the exit status of
 * its command; else with 1.
 */
export const run = async (
  { targets, words }: { targets: readonly string[]; words: readonly string[] },
  options: RunOptions,
  context: CommandContext,
  parts: RunParts = {},
): Promise<number> => {
  const output = outputMode(options)
  const fromStdin = readsStdin(words, options.file)
  const request = await commandRequest(words, options, parts.readScript ?? readScript)
  const { client } = await context.connect(options)
  const screen = new Screen(parts.streams)
  const stdin = parts.stdin ?? process.stdin
  const canAsk = screen.live && !fromStdin && stdin.isTTY === true
  const confirm = async (question: string) => {
    // In a script, too, a command on every node is to be meant.
    if (!canAsk) throw usageError('Nobody can be asked here whether it is to run on all nodes: add --yes.')
    return await askYesNo(stdin, shown => screen.setStatus(shown), question)
  }
  const chosen = await chooseTargets(client, targets, options, confirm)
  const command = await sendCommand(client, { ...request, ...chosen })
  if (options.detach) return detached(command, screen, options)
  const running = new RunningCommand({
    client,
    command,
    screen,
    output,
    canAsk,
    stdin,
    process: parts.process ?? process,
    now: context.now,
    wait: parts.wait ?? sleep,
    manySteps: options.document !== undefined,
  })
  return await running.finish()
}

const outputMode = ({ output, json, jsonLines }: RunOptions): OutputMode => {
  if (json && jsonLines) throw usageError('Give --json or --json-lines, not both.')
  if (json) return 'json'
  if (jsonLines) return 'json-lines'
  const mode = MODES.find(known => known === output)
  if (output !== undefined && mode === undefined) {
    throw usageError(`--output is "${inert(output)}": expected ${MODES.join(', ')}`)
  }
  return mode ?? 'plain'
}

const readScript = async (file?: string): Promise<string> => {
  if (file === undefined) return await text(process.stdin)
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw usageError(`The script ${inert(file)} cannot be read: ${(error as Error).message}`)
  }
}

const detached = ({ CommandId, TargetCount }: Command, screen: Screen, { json, jsonLines }: RunOptions) => {
  screen.write('stdout', `${json || jsonLines ? JSON.stringify({ CommandId, TargetCount }) : CommandId}\n`)
  if (screen.live) {
    const nodes = TargetCount === 1 ? 'one node' : `${TargetCount} nodes`
    screen.notice(`It runs on ${nodes}. To look: sallyport command show ${CommandId}`)
  }
  return EXIT.ok
}

const sleep = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))
