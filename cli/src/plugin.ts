import { CLIENT_COMPATIBILITY_VERSION } from '@sallyport/protocol/versions'
import type { AttachOptions, SessionEnd, StartedSession } from './attach.ts'
import { EXIT } from './errors.ts'
import { inert, inertLines } from './inert.ts'
import type { AskedFor } from './sessions/plugin-session.ts'

/** The environment as it can be changed: the token is taken out of it. */
export type MutableEnvironment = Record<string, string | undefined>

/** What the aws CLI gives the plugin (data-plane.md 18.1). */
export type PluginCall = {
  session: StartedSession
  /** The answer of StartSession was among the arguments, not in the environment. */
  inline: boolean
  region: string
  /** Of the shared files; absent: environment or default. */
  profile: string | undefined
  /** What the aws CLI spoke to; absent in the legacy form and when empty. */
  endpointUrl: string | undefined
  /** No document was asked for, so it is the account's shell. */
  isShell: boolean
  /** Empty in the legacy form. */
  asked: AskedFor
}

export type PluginParts = {
  out: (text: string) => void
  err: (text: string) => void
  /** Runs the session that was asked for, and says so on stdout if that is not for the session's bytes alone. */
  run: (call: PluginCall, env: MutableEnvironment, announce: () => void) => Promise<SessionEnd>
}

export const INSTALLED_BANNER =
  '\nThe Session Manager plugin was installed successfully. Use the AWS CLI to start a session.\n\n'

const RESPONSE_VARIABLE = 'AWS_SSM_START_SESSION_RESPONSE'
const LEGACY_ARGUMENTS = 3

/**
 * `session-manager-plugin` as the aws CLI and other callers of AWS's run it. `argv` is what follows the program's
 * name. Texts and their streams are AWS's (data-plane.md 18.1), the exit status is not: AWS's is 0 whatever happens,
 * ours is 0 only for a session that ended in an ordinary way. A command's own status is passed on only to a caller that
 * has kept the answer of StartSession out of the arguments: `aws` prints these, token and all, for any other than 0.
 */
export const runPlugin = async (
  argv: readonly string[],
  env: MutableEnvironment,
  parts: PluginParts = PROCESS_PARTS,
): Promise<number> => {
  const { out, err, run } = parts
  const [first] = argv
  if (first === undefined) {
    out(INSTALLED_BANNER)
    return EXIT.ok
  }
  if (argv.length === 1 && first === '--version') {
    out(`${CLIENT_COMPATIBILITY_VERSION}\n`)
    return EXIT.ok
  }
  if (argv.length < LEGACY_ARGUMENTS) {
    const operation = inert(first)
    out(`\nUnknown operation ${operation}. \nUse session-manager-plugin --version to check the version.\n\n`)
    return EXIT.usage
  }
  let say = out
  try {
    const call = readCall(argv, env)
    if (call === undefined) {
      out('Invalid Operation')
      return EXIT.usage
    }
    const id = inert(call.session.sessionId)
    // Until the session is known to be one that talks, stdout may be what an SSH client reads.
    let announced = false
    say = err
    const announce = () => {
      announced = true
      say = out
      out(`\nStarting session with SessionId: ${id}\n`)
    }
    const { reason, exitCode, exitStatus } = await run(call, env, announce)
    // Pexpect-like callers wait for this line.
    if (exitCode !== EXIT.ok) say(`\n\nSessionId: ${id} : ${inertLines(reason)}\n\n`)
    else if (announced) out(`\n\nExiting session with sessionId: ${id}.\n\n`)
    // A shell's own status would make aws take the session for a failure; a command's is what was asked for.
    else if (!call.inline) return exitStatus ?? exitCode
    return exitCode
  } catch (error) {
    const { message, exitCode } = error as { message: string; exitCode?: number }
    say(`Cannot perform start session: ${inertLines(message)}\n`)
    return exitCode ?? EXIT.failure
  }
}

const readCall = (argv: readonly string[], env: MutableEnvironment): PluginCall | undefined => {
  const [source = '', region = '', operation = '', profile, request, endpointUrl] = argv
  const response = takeResponse(source, env)
  const asked = readRequest(request)
  if (operation !== 'StartSession') return undefined
  return {
    session: parseResponse(response),
    inline: !namesVariable(source),
    region,
    profile: profile || undefined,
    endpointUrl: endpointUrl || undefined,
    isShell: request !== undefined && asked.documentName === undefined,
    asked,
  }
}

const namesVariable = (source: string) => source.startsWith(RESPONSE_VARIABLE)

/** The token must not be inherited by a program that this one starts, `credential_process` for example. */
const takeResponse = (source: string, env: MutableEnvironment): string => {
  if (!namesVariable(source)) return source
  const response = env[source]
  delete env[source]
  if (!response) throw new Error(`the environment variable ${source} is not set`)
  return response
}

/** What was given to StartSession; no name if no document was named. */
const readRequest = (text: string | undefined): AskedFor => {
  if (text === undefined) return { parameters: {} }
  let request: { Target?: unknown; DocumentName?: unknown; Parameters?: unknown } = {}
  try {
    request = Object(JSON.parse(text))
  } catch {
    // Told with the next line.
  }
  const { Target, DocumentName, Parameters } = request
  if (typeof Target !== 'string') throw new Error('the fifth argument must be JSON with a string "Target"')
  const parameters = Object(Parameters ?? {}) as AskedFor['parameters']
  return { ...(DocumentName !== undefined && { documentName: String(DocumentName) }), parameters }
}

/** Keys in any case, as Go reads JSON: `aws ecs execute-command` writes them in camelCase. */
const parseResponse = (text: string): StartedSession => {
  let answer: object
  try {
    answer = Object(JSON.parse(text))
  } catch {
    // Without the parser's own message, which quotes the text, and with it the token.
    throw new Error('the answer of StartSession is not JSON')
  }
  const values = new Map(Object.entries(answer).map(([key, value]) => [key.toLowerCase(), value as unknown]))
  const member = (name: string): string => {
    const value = values.get(name.toLowerCase())
    if (typeof value !== 'string' || value === '')
      throw new Error(`the answer of StartSession has no ${name}`)
    return value
  }
  const streamUrl = member('StreamUrl')
  if (!URL.canParse(streamUrl) || !/^wss?:$/.test(new URL(streamUrl).protocol)) {
    throw new Error('the StreamUrl of StartSession is no ws: or wss: address')
  }
  return { sessionId: member('SessionId'), tokenValue: member('TokenValue'), streamUrl }
}

const runOnTerminal: PluginParts['run'] = async (call, env, announce) => {
  const [
    attach,
    { createClient },
    { loadSettings },
    { openTerminal },
    { runClientSession },
    { pluginKinds },
  ] = await Promise.all([
    import('./attach.ts'),
    import('./client.ts'),
    import('./settings.ts'),
    import('./terminal/terminal.ts'),
    import('./sessions/client-session.ts'),
    import('./sessions/plugin-session.ts'),
  ])
  const region = call.region || env.AWS_REGION || env.AWS_DEFAULT_REGION || 'us-east-1'
  const configured = env.SALLYPORT_ENDPOINT_URL || env.AWS_ENDPOINT_URL_SSM || env.AWS_ENDPOINT_URL
  const endpointUrl = call.endpointUrl ?? (configured || `https://ssm.${region}.amazonaws.com`)
  const settings = await loadSettings({ profile: call.profile, region, endpointUrl }, env)
  const options: AttachOptions = {
    client: createClient({ ...settings, env }),
    ca: settings.ca,
    session: call.session,
    // The aws CLI ignores SIGTSTP while the plugin runs, so only SIGSTOP stops the whole job.
    terminal: openTerminal({ suspendSignal: 'SIGSTOP' }),
    runSession: runClientSession(
      pluginKinds({
        isShell: call.isShell,
        asked: call.asked,
        announce,
        out: text => void process.stdout.write(text),
      }),
    ),
    endWithParent: true,
  }
  return attach.attachSession(options)
}

const PROCESS_PARTS: PluginParts = {
  out: text => void process.stdout.write(text),
  err: text => void process.stderr.write(text),
  run: runOnTerminal,
}
