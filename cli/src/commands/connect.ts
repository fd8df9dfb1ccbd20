import { attachSession, type RunSession, type StartedSession } from '../attach.ts'
import type { ApiClient } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { CliError, EXIT } from '../errors.ts'
import { inert, inertLines } from '../inert.ts'
import { resolveNode } from '../nodes.ts'
import { parseParameters } from '../parameters.ts'
import type { SettingsOptions } from '../settings.ts'
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
  const parameters = parseParameters(options.parameters ?? [])
  const { client, ca } = await context.connect(options)
  const target = await resolveNode(client, wanted)
  const session = await startSession(client, {
    Target: target,
    ...(options.documentName ? { DocumentName: options.documentName } : {}),
    ...(options.reason ? { Reason: options.reason } : {}),
    ...(Object.keys(parameters).length > 0 ? { Parameters: parameters } : {}),
  })
  const terminal = parts.terminal ?? openTerminal()
  if (terminal.interactive) {
    terminal.notice(
      `Session ${inert(session.sessionId)} on ${inert(target)}. Enter ~? shows how to leave it.`,
    )
  }
  const runSession = parts.runSession ?? (await import('../sessions/session.ts')).runShellSession
  const { reason, exitCode, exitStatus } = await attachSession({ client, ca, session, terminal, runSession })
  if (reason !== '' && exitCode !== EXIT.ok) terminal.notice(`sallyport: ${inertLines(reason)}`)
  return exitCode === EXIT.ok ? (exitStatus ?? EXIT.ok) : exitCode
}

const startSession = async (client: ApiClient, input: Record<string, unknown>): Promise<StartedSession> => {
  const answer = (await client.call('ssm', 'StartSession', input)) as Record<string, unknown>
  const { SessionId: sessionId, TokenValue: tokenValue, StreamUrl: streamUrl } = answer
  if (typeof sessionId !== 'string' || typeof tokenValue !== 'string' || typeof streamUrl !== 'string') {
    throw new CliError('The server started a session without saying its id, token and address.')
  }
  return { sessionId, tokenValue, streamUrl }
}
