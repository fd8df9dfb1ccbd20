import { jsonRecord } from '@sallyport/protocol/json-record'

/** What a session document says about the command of this platform (data-plane.md 14.2, 14.3). */
export type CommandProperties = {
  commands: string
  /** Under the agent's own account in place of the session's user. */
  runAsElevated: boolean
  separateOutputStream: boolean
  stdOutSeparatorPrefix: string
  stdErrSeparatorPrefix: string
}

const platformsRecord = jsonRecord('properties of the session document', { linux: 'json?', macos: 'json?' })
const PLATFORM = process.platform === 'darwin' ? 'macos' : 'linux'
const commandRecord = jsonRecord(`properties.${PLATFORM} of the session document`, {
  commands: 'string?',
  // A string is refused, as the stock agent does: "false" must not come to mean yes.
  runAsElevated: 'boolean?',
  separateOutputStream: 'json?',
  stdOutSeparatorPrefix: 'string?',
  stdErrSeparatorPrefix: 'string?',
})

/** data-plane.md 14.3 */
const PREFIX = /^[0-9a-zA-Z\r\n_:-]{0,30}$/

/** Throws, with the stock agent's words where it has some, if there is nothing to run or a property makes no sense. */
export function commandProperties(sessionType: string, properties: unknown): CommandProperties {
  const record = commandRecord.read(platformsRecord.read(properties ?? {})[PLATFORM] ?? {})
  const commands = record.commands ?? ''
  if (commands.trim() === '') throw new Error(`Commands cannot be empty for session type ${sessionType}`)
  const separateOutputStream = toBoolean('separateOutputStream', record.separateOutputStream)
  const prefix = (name: 'stdOutSeparatorPrefix' | 'stdErrSeparatorPrefix'): string => {
    const text = (separateOutputStream && record[name]) || ''
    if (PREFIX.test(text)) return text
    throw new Error(
      `The ${name} of the session document, ${JSON.stringify(text)}, is not valid: at most 30 letters, digits, "_", ":", "-" and line ends.`,
    )
  }
  return {
    commands,
    runAsElevated: record.runAsElevated ?? false,
    separateOutputStream,
    stdOutSeparatorPrefix: prefix('stdOutSeparatorPrefix'),
    stdErrSeparatorPrefix: prefix('stdErrSeparatorPrefix'),
  }
}

/** control-plane.md 13.1: booleans of documents may be strings, and empty is no. */
function toBoolean(name: string, value: unknown): boolean {
  if (value === true || value === 'true') return true
  if (value === undefined || value === false || value === 'false' || value === '') return false
  throw new Error(`The ${name} of the session document must be true or false, not ${JSON.stringify(value)}.`)
}
