import { CliError } from '../errors.ts'
import { listenLocally } from '../forwarding/local-listener.ts'
import { inert } from '../inert.ts'
import type { ActivityKind } from './client-activity.ts'
import { commandKind } from './command-activity.ts'
import { type PortFace, portKind } from './port-activity.ts'
import { rawKind } from './raw-activity.ts'
import { shellKind } from './shell-activity.ts'

type Options = {
  /** Known before the agent says so. */
  isShell: boolean
  /** The session is one whose notices belong on stdout. */
  announce: () => void
  out: (text: string) => void
}

/**
 * Whatever the session turns out to be: the plugin is told what to run by the agent only (data-plane.md 12). On stdout
 * raw sessions and commands have their own bytes and nothing else.
 */
export const pluginKinds = ({ isShell, announce, out }: Options): ActivityKind[] => {
  const announced = (kind: ActivityKind): ActivityKind => ({
    takes: kind.takes,
    open: context => {
      announce()
      return kind.open(context)
    },
  })
  const shell = announced(shellKind)
  return isShell ? [shell] : [shell, announced(portKind(pluginFace(out))), rawKind, commandKind()]
}

/** The lines of AWS's plugin, which tools wait for (data-plane.md 15.4). */
const pluginFace = (out: (text: string) => void): PortFace => ({
  signals: ['SIGINT', 'SIGQUIT', 'SIGTSTP'],
  listen: async ({ localPort, localPath }) => {
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
