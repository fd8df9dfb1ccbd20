import { attachSession, type SessionEnd, type StartedSession } from '../attach.ts'
import type { ApiClient } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { EXIT, usageError } from '../errors.ts'
import { type ForwardSpec, parseForwardSpec, parseTarget } from '../forwarding/forward-spec.ts'
import { type LocalListener, listenLocally } from '../forwarding/local-listener.ts'
import { inert, inertLines } from '../inert.ts'
import { resolveNode } from '../nodes.ts'
import { parseParameters } from '../parameters.ts'
import { runClientSession } from '../sessions/client-session.ts'
import { type PortFace, portKind } from '../sessions/port-activity.ts'
import type { SettingsOptions } from '../settings.ts'
import { type SessionRequest, startSession } from '../start-session.ts'
import { openTerminal } from '../terminal/terminal.ts'

export type ForwardOptions = SettingsOptions & {
  socket?: string
  reason?: string
  documentName?: string
  parameters?: string[]
  json?: boolean
}

/** A local end that takes connections already, and what it is to be joined to. */
type Forward = { spec: ForwardSpec; listener: LocalListener }
type Started = Forward & { session: StartedSession; target: string }

/** A person opens a handful of forwards; each is a session of its own. */
const MAXIMUM_FORWARDS = 64

/**
 * `sallyport forward`: ports here that lead to ports of the node, or of hosts that it reaches. Every local end is taken
 * before anything is started, so that a busy port costs nothing. Ends with Ctrl-C, which is an ordinary end.
 */
export const forward = async (
  wanted: string,
  specs: readonly string[],
  options: ForwardOptions,
  context: CommandContext,
): Promise<number> => {
  const parsed = parseSpecs(specs, options.socket)
  const parameters = parseParameters(options.parameters ?? [])
  const forwards = await listenAll(parsed)
  try {
    const { client, ca } = await context.connect(options)
    const target = await resolveNode(client, wanted)
    const request = (each: Forward) => requestFor(each, target, options, parameters)
    const started = await startAll(client, forwards, request)
    // Each session listens for the signals that end it.
    process.setMaxListeners(process.getMaxListeners() + started.length)
    process.stdout.setMaxListeners(process.stdout.getMaxListeners() + started.length)
    const ends = started.map(each =>
      attachSession({
        client,
        ca,
        session: each.session,
        terminal: openTerminal(),
        runSession: runClientSession([portKind(faceFor({ ...each, target }, wanted, options, context))]),
      }).then(end => report(each, end, context)),
    )
    return Math.max(...(await Promise.all(ends)))
  } finally {
    for (const { listener } of forwards) listener.close()
  }
}

const parseSpecs = (specs: readonly string[], path: string | undefined): ForwardSpec[] => {
  if (specs.length > MAXIMUM_FORWARDS) throw usageError(`At most ${MAXIMUM_FORWARDS} forwards at once.`)
  if (path === undefined) return specs.map(parseForwardSpec)
  const [only = '', ...others] = specs
  if (others.length > 0)
    throw usageError('One Unix socket has one target: give one PORT or HOST:PORT with --socket.')
  return [parseTarget(only, path)]
}

const listenAll = async (specs: readonly ForwardSpec[]): Promise<Forward[]> => {
  const forwards: Forward[] = []
  try {
    for (const spec of specs) forwards.push({ spec, listener: await listenLocally(spec.local) })
    return forwards
  } catch (error) {
    for (const { listener } of forwards) listener.close()
    throw error
  }
}

const requestFor = (
  { spec, listener }: Forward,
  target: string,
  { documentName, reason }: ForwardOptions,
  parameters: Record<string, string[]>,
): SessionRequest => {
  const { host, port } = spec
  const local: Record<string, string[]> =
    listener.port === undefined
      ? { localUnixSocket: [listener.label] }
      : { localPortNumber: [String(listener.port)] }
  return {
    Target: target,
    DocumentName: documentName ?? documentFor(spec),
    ...(reason ? { Reason: reason } : {}),
    Parameters: {
      portNumber: [String(port)],
      ...(host === undefined ? {} : { host: [host] }),
      // For the record; a document of somebody's own may well not have these, and we listen by ourselves.
      ...(documentName === undefined && !(host !== undefined && listener.port === undefined) ? local : {}),
      ...parameters,
    },
  }
}

const documentFor = ({ local, host }: ForwardSpec): string => {
  if (host !== undefined) return 'AWS-StartPortForwardingSessionToRemoteHost'
  return 'path' in local ? 'AWS-StartPortForwardingSessionToSocket' : 'AWS-StartPortForwardingSession'
}

/** All or none. */
const startAll = async (
  client: ApiClient,
  forwards: readonly Forward[],
  request: (each: Forward) => SessionRequest,
): Promise<Array<Omit<Started, 'target'>>> => {
  const results = await Promise.allSettled(
    forwards.map(async each => ({ ...each, session: await startSession(client, request(each)) })),
  )
  const started = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  const failed = results.find(result => result.status === 'rejected')
  if (failed === undefined) return started
  const terminate = ({ session }: { session: StartedSession }) =>
    client.call('ssm', 'TerminateSession', { SessionId: session.sessionId })
  await Promise.allSettled(started.map(terminate))
  throw failed.reason
}

const faceFor = (
  { spec, listener, target }: Started,
  wanted: string,
  { json }: ForwardOptions,
  context: CommandContext,
): PortFace => ({
  signals: ['SIGINT'],
  listen: async () => listener,
  opened: (_, sessionId) => {
    if (json) context.out(`${JSON.stringify(readyLine(spec, listener, target, sessionId))}\n`)
    else
      context.err(`Forwarding ${inert(listener.label)} → ${destinationOf(spec, wanted)}. Ctrl-C ends it.\n`)
  },
})

/** For programs: one line of JSON for each forward that is ready. */
const readyLine = (
  { host, port }: ForwardSpec,
  listener: LocalListener,
  target: string,
  sessionId: string,
) => ({
  SessionId: sessionId,
  Target: target,
  ...(listener.port === undefined
    ? { LocalUnixSocket: listener.label }
    : { LocalAddress: listener.address, LocalPortNumber: listener.port }),
  ...(host === undefined ? {} : { Host: host }),
  PortNumber: port,
})

const destinationOf = ({ host, port }: ForwardSpec, wanted: string): string => {
  if (host === undefined) return `${inert(wanted)} port ${port}`
  return `${inert(host.includes(':') ? `[${host}]` : host)}:${port} through ${inert(wanted)}`
}

const report = ({ listener }: Forward, { reason, exitCode }: SessionEnd, context: CommandContext): number => {
  listener.close()
  if (exitCode !== EXIT.ok) context.err(`sallyport: ${inert(listener.label)}: ${inertLines(reason)}\n`)
  return exitCode
}
