import { attachSession } from '../attach.ts'
import type { CommandContext } from '../context.ts'
import { EXIT, usageError } from '../errors.ts'
import { inertLines } from '../inert.ts'
import { resolveNode } from '../nodes.ts'
import { runClientSession } from '../sessions/client-session.ts'
import { checkDocument, wrongDocument } from '../sessions/document-types.ts'
import { rawKind } from '../sessions/raw-activity.ts'
import type { SettingsOptions } from '../settings.ts'
import { startSession } from '../start-session.ts'
import { openTerminal } from '../terminal/terminal.ts'

export type SshProxyOptions = SettingsOptions & { reason?: string; documentName?: string }

const SSH_PORT = '22'
const MAXIMUM_PORT = 65_535
const DOCUMENT = 'AWS-StartSSHSession'
/** ssh(1) ends its proxy so when it has what it wanted. */
const HUNG_UP = 129

/**
 * `sallyport ssh-proxy`: one connection to a port of the node, on standard input and output: what `ProxyCommand` of
 * ssh(1) wants. Stdout carries the connection's bytes and nothing else.
 */
export const sshProxy = async (
  wanted: string,
  port: string | undefined,
  { reason, documentName, ...settings }: SshProxyOptions,
  context: CommandContext,
): Promise<number> => {
  const portNumber = port ?? SSH_PORT
  if (!/^[1-9]\d{0,4}$/.test(portNumber) || Number(portNumber) > MAXIMUM_PORT)
    throw usageError(`"${portNumber}" is no port.`)
  const document = documentName ?? DOCUMENT
  checkDocument(document, 'ssh-proxy')
  const { client, ca } = await context.connect(settings)
  const session = await startSession(client, {
    Target: await resolveNode(client, wanted),
    DocumentName: document,
    ...(reason ? { Reason: reason } : {}),
    Parameters: { portNumber: [portNumber] },
  })
  const end = await attachSession({
    client,
    ca,
    session,
    terminal: openTerminal(),
    runSession: runClientSession([rawKind], wrongDocument(document)),
    endWithParent: true,
  })
  const { exitCode } = end
  if (exitCode !== EXIT.ok && exitCode !== HUNG_UP) context.err(`sallyport: ${inertLines(end.reason)}\n`)
  return exitCode
}
