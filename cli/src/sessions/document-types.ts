import { SessionType } from '@sallyport/protocol/handshake'
import { EXIT, usageError } from '../errors.ts'
import { inert } from '../inert.ts'
import type { WrongType } from './client-session.ts'
import { forwardsPorts } from './port-properties.ts'

type Command = 'connect' | 'exec' | 'forward' | 'ssh-proxy'

/** Documents that are on every server, and what their sessions are; of others the agent says so. */
const KNOWN = new Map<string, { type: string; command: Command }>([
  ['SSM-SessionManagerRunShell', { type: SessionType.standardStream, command: 'connect' }],
  ['AWS-StartInteractiveCommand', { type: SessionType.interactiveCommands, command: 'exec' }],
  ['AWS-StartNonInteractiveCommand', { type: SessionType.nonInteractiveCommands, command: 'exec' }],
  ['AWS-StartPortForwardingSession', { type: SessionType.port, command: 'forward' }],
  ['AWS-StartPortForwardingSessionToRemoteHost', { type: SessionType.port, command: 'forward' }],
  ['AWS-StartPortForwardingSessionToSocket', { type: SessionType.port, command: 'forward' }],
  ['AWS-StartSSHSession', { type: SessionType.port, command: 'ssh-proxy' }],
])

/** Throws, before anything is asked of the server, if a document is known to be for none of `commands`. */
export function checkDocument(documentName: string | undefined, ...commands: readonly Command[]): void {
  const known = KNOWN.get(documentName ?? '')
  if (known === undefined || commands.includes(known.command)) return
  throw usageError(explain(documentName, known.type, known.command))
}

/** The end of a session whose document the person has named, and which turns out to be for another command. */
export const wrongDocument =
  (documentName: string | undefined): WrongType =>
  (sessionType, properties) => ({
    reason: explain(documentName, sessionType, commandFor(sessionType, properties)),
    exitCode: EXIT.usage,
  })

function explain(documentName: string | undefined, type: string, command: Command | undefined): string {
  const use = command === undefined ? 'which this client cannot run' : `use sallyport ${command}`
  const separator = command === undefined ? ', ' : ': '
  return `Document ${inert(documentName)} opens a session of type ${inert(type)}${separator}${use}.`
}

function commandFor(sessionType: string, properties: unknown): Command | undefined {
  switch (sessionType) {
    case SessionType.standardStream:
      return 'connect'
    case SessionType.interactiveCommands:
    case SessionType.nonInteractiveCommands:
      return 'exec'
    case SessionType.port:
      return forwardsPorts(properties) ? 'forward' : 'ssh-proxy'
    default:
      return undefined
  }
}
