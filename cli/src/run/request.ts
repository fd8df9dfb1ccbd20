import type { SendCommandInput } from '@sallyport/protocol/api/ssm-commands'
import { usageError } from '../errors.ts'
import { inert } from '../inert.ts'
import type { Parameters } from '../parameters.ts'

export type RequestOptions = {
  document?: string
  documentVersion?: string
  parameter?: readonly string[]
  file?: string
  comment?: string
  timeout?: string
  executionTimeout?: string
  workingDirectory?: string
  maxConcurrency?: string
  maxErrors?: string
}

const SHELL_DOCUMENT = 'AWS-RunShellScript'
const STDIN = '-'
const TIME = /^(\d{1,8})([smhd]?)$/
const SECONDS = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 } as const
const COUNT = /^(0|[1-9]\d{0,6}|(\d|[1-9]\d|100)%)$/
const MAX_COMMENT = 100
/** Seconds (control-plane.md 12.5, 21): what is beyond them the server refuses, or an agent takes for an hour. */
const LEAST_EXECUTION = 5
const MOST_EXECUTION = 2 * 86_400
const LEAST_DELIVERY = 30
const MOST_DELIVERY = 30 * 86_400

/** Whether these words and options ask for a script on standard input. */
export const readsStdin = (words: readonly string[], file: string | undefined): boolean =>
  file === STDIN || (words.length === 1 && words[0] === STDIN)

/**
 * SendCommand's input but for the nodes. `readScript` reads a file, or standard input where it gets no name.
 * Words are joined by blanks and read by a shell on the node, as ssh does it.
 */
export const commandRequest = async (
  words: readonly string[],
  options: RequestOptions,
  readScript: (file?: string) => Promise<string>,
): Promise<Omit<SendCommandInput, 'InstanceIds' | 'Targets'>> => {
  const given = parseParameters(options.parameter ?? [])
  const script = await scriptOf(words, options, readScript)
  if (script !== undefined && given.commands !== undefined) {
    throw usageError('The command is given twice: by --parameter commands=…, and by a script or words.')
  }
  if (script !== undefined) given.commands = [script]
  else if (options.document === undefined) {
    throw usageError('There is no command. For example: sallyport run web-1 web-2 -- uptime')
  }
  if (options.workingDirectory !== undefined) given.workingDirectory = [options.workingDirectory]
  if (options.executionTimeout !== undefined) {
    const limits = { least: LEAST_EXECUTION, most: MOST_EXECUTION }
    given.executionTimeout = [String(seconds('--execution-timeout', options.executionTimeout, limits))]
  }
  const { documentVersion, comment, timeout } = options
  if (comment !== undefined && comment.length > MAX_COMMENT)
    throw usageError(`--comment has ${comment.length} characters; at most ${MAX_COMMENT} are kept.`)
  const delivery = { least: LEAST_DELIVERY, most: MOST_DELIVERY }
  return {
    DocumentName: options.document ?? SHELL_DOCUMENT,
    Parameters: given,
    ...(documentVersion === undefined ? {} : { DocumentVersion: documentVersion }),
    ...(comment === undefined ? {} : { Comment: comment }),
    ...(timeout === undefined ? {} : { TimeoutSeconds: seconds('--timeout', timeout, delivery) }),
    ...limit('MaxConcurrency', '--max-concurrency', options.maxConcurrency),
    ...limit('MaxErrors', '--max-errors', options.maxErrors),
  }
}

const scriptOf = async (
  words: readonly string[],
  { file }: RequestOptions,
  readScript: (file?: string) => Promise<string>,
): Promise<string | undefined> => {
  if (words.length > 0 && file !== undefined) {
    throw usageError('The command is given twice: by --file, and by the words behind --.')
  }
  const fromStdin = readsStdin(words, file)
  if (!fromStdin && file === undefined) {
    if (words.length === 0) return undefined
    const command = words.join(' ')
    if (command.trim() === '') throw usageError('The command is empty.')
    return command
  }
  const script = await readScript(fromStdin ? undefined : file)
  if (script.trim() === '') {
    throw usageError(`The script ${fromStdin ? 'on standard input' : `in ${inert(file)}`} is empty.`)
  }
  return script
}

/** `name=value` each; a name that comes again gets one more value; a value may be a JSON list of texts. */
const parseParameters = (texts: readonly string[]): Parameters => {
  const parameters: Parameters = {}
  for (const text of texts) {
    const [, name, value] = /^\s*([^=\s]+)=(.*)$/s.exec(text) ?? []
    if (name === undefined || value === undefined) {
      throw usageError(
        `--parameter is "${inert(text)}": expected NAME=VALUE, such as --parameter message=hello`,
      )
    }
    parameters[name] = [...(parameters[name] ?? []), ...listOf(value)]
  }
  return parameters
}

const listOf = (value: string): string[] => {
  if (!value.startsWith('[')) return [value]
  try {
    const list: unknown = JSON.parse(value)
    return Array.isArray(list) && list.every(item => typeof item === 'string') ? list : [value]
  } catch {
    return [value]
  }
}

const seconds = (option: string, text: string, { least, most }: { least: number; most: number }): number => {
  const [, count, unit] = TIME.exec(text) ?? []
  if (count === undefined || Number(count) === 0) {
    throw usageError(`${option} is "${inert(text)}": expected a time such as 90, 90s, 10m, 2h or 1d`)
  }
  const time = Number(count) * SECONDS[unit as keyof typeof SECONDS]
  if (time < least) throw usageError(`${option} is "${inert(text)}": at least ${least}s is possible`)
  if (time > most) throw usageError(`${option} is "${inert(text)}": at most ${most / 86_400}d is possible`)
  return time
}

const limit = (member: string, option: string, text: string | undefined) => {
  if (text === undefined) return {}
  if (!COUNT.test(text))
    throw usageError(`${option} is "${inert(text)}": expected a number, or a percentage such as 10%`)
  if (member === 'MaxConcurrency' && Number.parseInt(text, 10) === 0)
    throw usageError(`${option} is "${inert(text)}": with that no node would begin`)
  return { [member]: text }
}
