import { attachSession, type RunSession } from '../attach.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../errors.ts'
import { inert, inertLines } from '../inert.ts'
import { resolveNode } from '../nodes.ts'
import { parseParameters } from '../parameters.ts'
import type { ActivityKind } from '../sessions/client-activity.ts'
import { checkDocument, wrongDocument } from '../sessions/document-types.ts'
import type { SettingsOptions } from '../settings.ts'
import { startSession } from '../start-session.ts'
import { openTerminal, type Terminal } from '../terminal/terminal.ts'

export type ConnectOptions = SettingsOptions & {
  reason?: string
  documentName?: string
  parameters?: string[]
}

type Parts = { terminal?: Terminal; runSession?: RunSession }

/**
 * `sallyport connect`: a shell on a node, found by id or name. Stdout carries the node's bytes and nothing else.
 * Resolves with the session's own exit status.
 */
export const connect = async (
  wanted: string,
  options: ConnectOptions,
  context: CommandContext,
  parts: Parts = {},
): Promise<number> => {
  const { documentName } = options
  checkDocument(documentName, 'connect', 'exec')
  const parameters = parseParameters(options.parameters ?? [])
  const { client, ca } = await context.connect(options)
  const target = await resolveNode(client, wanted)
  const session = await startSession(client, {
    Target: target,
    ...(documentName ? { DocumentName: documentName } : {}),
    ...(options.reason ? { Reason: options.reason } : {}),
    ...(Object.keys(parameters).length > 0 ? { Parameters: parameters } : {}),
  })
  const terminal = parts.terminal ?? openTerminal()
  const announce = () => {
    if (!terminal.interactive) return
    terminal.notice(
      `Session ${inert(session.sessionId)} on ${inert(target)}. Enter ~? shows how to leave it.`,
    )
  }
  const runSession = parts.runSession ?? (await shellSession(announce, documentName))
  const { reason, exitCode, exitStatus } = await attachSession({ client, ca, session, terminal, runSession })
  if (reason !== '' && exitCode !== EXIT.ok) terminal.notice(`sallyport: ${inertLines(reason)}`)
  return exitCode === EXIT.ok ? (exitStatus ?? EXIT.ok) : exitCode
}

const shellSession = async (announce: () => void, documentName?: string): Promise<RunSession> => {
  const [{ runClientSession }, { shellKind }] = await Promise.all([
    import('../sessions/client-session.ts'),
    import('../sessions/shell-activity.ts'),
  ])
  const announced: ActivityKind = {
    takes: shellKind.takes,
    open: context => {
      announce()
      return shellKind.open(context)
    },
  }
  return runClientSession([announced], documentName === undefined ? undefined : wrongDocument(documentName))
}
