import { attachSession, type SessionEnd, type StartedSession } from '../attach.ts'
import type { ApiClient } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { EXIT, usageError } from '../errors.ts'
import { type ForwardSpec, type LocalEnd, parseForwardSpec, parseTarget } from '../forwarding/forward-spec.ts'
import { type LocalListener, listenLocally } from '../forwarding/local-listener.ts'
import { inert, inertLines } from '../inert.ts'
import { resolveNode } from '../nodes.ts'
import { parseParameters } from '../parameters.ts'
import { runClientSession } from '../sessions/client-session.ts'
import { checkDocument, wrongDocument } from '../sessions/document-types.ts'
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
type Started = Forward & { session: StartedSession }
/** `leaving`: the person has asked for the end, by Ctrl-C. */
type Progress = { leaving: boolean }

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
  run: typeof runClientSession = runClientSession,
): Promise<number> => {
  const { documentName } = options
  const parsed = parseSpecs(specs, options.socket)
  checkDocument(documentName, 'forward')
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
    const progress: Progress = { leaving: false }
    const saying = { target, wanted, json: options.json ?? false, progress }
    const wrongType = documentName === undefined ? undefined : wrongDocument(documentName)
    const ends = started.map(async each => {
      const end = await attachSession({
        client,
        ca,
        session: each.session,
        terminal: openTerminal(started.length > 1 ? { label: inert(each.listener.label) } : {}),
        runSession: run([portKind(faceFor(each, saying, context))], wrongType),
      })
      return report(each, end, progress, context)
    })
    return Math.max(...(await Promise.all(ends)))
  } finally {
    for (const { listener } of forwards) listener.close()
  }
}

const parseSpecs = (specs: readonly string[], path: string | undefined): ForwardSpec[] => {
  if (specs.length > MAXIMUM_FORWARDS) throw usageError(`At most ${MAXIMUM_FORWARDS} forwards at once.`)
  if (path === undefined) {
    const parsed = specs.map(parseForwardSpec)
    refuseSamePort(parsed, specs)
    return parsed
  }
  const [only = '', ...others] = specs
  if (others.length > 0)
    throw usageError('One Unix socket has one target: give one PORT or HOST:PORT with --socket.')
  return [parseTarget(only, path)]
}

/** The system would refuse the second as in use, by us: that is true, but of no help. */
const refuseSamePort = (specs: readonly ForwardSpec[], texts: readonly string[]): void => {
  for (const [i, { local }] of specs.entries()) {
    const other = specs.slice(0, i).findIndex(before => samePort(before.local, local))
    if (other === -1 || !('port' in local)) continue
    throw usageError(`"${texts[other]}" and "${texts[i]}" both want port ${local.port} of this machine.`)
  }
}

const ANY_ADDRESS = ['*', '0.0.0.0', '::']
const LOOPBACK = [undefined, 'localhost', '127.0.0.1', '::1']

const samePort = (one: LocalEnd, other: LocalEnd): boolean => {
  if (!('port' in one && 'port' in other) || one.port === 0 || one.port !== other.port) return false
  const [a, b] = [one.bind, other.bind]
  const named = (bind: string | undefined) => bind === undefined || bind === 'localhost'
  if (a === b || [a, b].some(bind => ANY_ADDRESS.includes(bind ?? ''))) return true
  // Without a name of its own a local end is both loopback addresses.
  return (named(a) && LOOPBACK.includes(b)) || (named(b) && LOOPBACK.includes(a))
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
): Promise<Started[]> => {
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
  { spec, listener }: Forward,
  { target, wanted, json, progress }: { target: string; wanted: string; json: boolean; progress: Progress },
  context: CommandContext,
): PortFace => ({
  signals: ['SIGINT'],
  listen: async () => listener,
  leaving: () => {
    // Behind the ^C of the terminal.
    if (!progress.leaving && context.errIsTerminal) context.err('\n')
    progress.leaving = true
  },
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

/** A forward ends when the person says so; whatever else ends it is a failure to whoever relies on it. */
const report = (
  { listener }: Forward,
  { reason, exitCode }: SessionEnd,
  { leaving }: Progress,
  context: CommandContext,
): number => {
  listener.close()
  if (exitCode === EXIT.ok && leaving) return EXIT.ok
  const why = inertLines(reason || 'The session was ended.')
  context.err(`sallyport: ${inert(listener.label)}: ${why}\n`)
  return exitCode || EXIT.failure
}
