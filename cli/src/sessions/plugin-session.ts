import { CliError } from '../errors.ts'
import { listenLocally } from '../forwarding/local-listener.ts'
import { inert } from '../inert.ts'
import type { ActivityKind } from './client-activity.ts'
import { commandKind } from './command-activity.ts'
import { type PortFace, portKind } from './port-activity.ts'
import type { PortProperties } from './port-properties.ts'
import { rawKind } from './raw-activity.ts'
import { shellKind } from './shell-activity.ts'

/** What the person asked for, as far as the caller said: with AWS's document names these are AWS's parameters. */
export type AskedFor = { documentName?: string; parameters: Readonly<Record<string, unknown>> }

type Options = {
  /** Known before the agent says so. */
  isShell: boolean
  asked: AskedFor
  /** The session is one whose notices belong on stdout. */
  announce: () => void
  out: (text: string) => void
}

/** What sessions of AWS's documents are: a node that was taken over may say that they are something else. */
const KINDS = new Map<string, 'shell' | 'port' | 'raw' | 'command'>([
  ['AWS-StartPortForwardingSession', 'port'],
  ['AWS-StartPortForwardingSessionToRemoteHost', 'port'],
  ['AWS-StartPortForwardingSessionToSocket', 'port'],
  ['AWS-StartSSHSession', 'raw'],
  ['AWS-StartInteractiveCommand', 'shell'],
  ['AWS-StartNonInteractiveCommand', 'command'],
])

/**
 * Whatever the session turns out to be: for documents of one's own the plugin is told what to run by the agent only
 * (data-plane.md 12). On stdout raw sessions and commands have their own bytes and nothing else.
 */
export const pluginKinds = ({ isShell, asked, announce, out }: Options): ActivityKind[] => {
  const announced = (kind: ActivityKind): ActivityKind => ({
    takes: kind.takes,
    open: context => {
      announce()
      return kind.open(context)
    },
  })
  const shell = announced(shellKind)
  if (isShell) return [shell]
  const kinds = {
    shell,
    port: announced(portKind(pluginFace(asked, out))),
    raw: rawKind,
    command: commandKind(),
  }
  const known = KINDS.get(asked.documentName ?? '')
  return Object.entries(kinds).map(([name, kind]) => ({
    ...kind,
    takes: (type, properties) => (known ?? name) === name && kind.takes(type, properties),
  }))
}

/** The lines of AWS's plugin, which tools wait for (data-plane.md 15.4). */
const pluginFace = (asked: AskedFor, out: (text: string) => void): PortFace => ({
  signals: ['SIGINT', 'SIGQUIT', 'SIGTSTP'],
  listen: async properties => {
    const { localPort, localPath } = localEnd(asked, properties)
    if (localPath !== undefined) return await listenLocally({ path: localPath })
    if (!Number.isInteger(localPort) || localPort < 0 || localPort > 65_535) {
      throw new CliError('localPortNumber of the session document is no port.')
    }
    return await listenLocally({ port: localPort })
  },
  opened: ({ port, label }, sessionId) => {
    const what = port === undefined ? `Unix socket ${inert(label)}` : `Port ${port}`
    out(`${what} opened for sessionId ${inert(sessionId)}.\nWaiting for connections...\n`)
  },
  accepted: sessionId => out(`\nConnection accepted for session [${inert(sessionId)}]\n`),
  leaving: () => out('\nTerminate signal received, exiting.\n'),
})

/** The person's word before the node's: it could have us listen where something else is expected, or make files. */
const localEnd = (
  { documentName, parameters }: AskedFor,
  properties: PortProperties,
): Pick<PortProperties, 'localPort' | 'localPath'> => {
  const localPath = onlyValue(parameters.localUnixSocket)
  const localPort = onlyValue(parameters.localPortNumber)
  if (localPath !== undefined) return { localPort: 0, localPath }
  // Without the parameter AWS's documents have a free port.
  if (localPort !== undefined || KINDS.has(documentName ?? ''))
    return { localPort: Number(localPort ?? 0), localPath: undefined }
  return properties
}

/** Of a parameter as StartSession takes them: a list. */
const onlyValue = (value: unknown): string | undefined =>
  Array.isArray(value) && typeof value[0] === 'string' ? value[0] : undefined
