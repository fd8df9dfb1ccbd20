import { attachSession, type RunSession, type SessionEnd } from '../attach.ts'
import type { CommandContext } from '../context.ts'
import { EXIT, usageError } from '../errors.ts'
import { inert, inertLines } from '../inert.ts'
import { resolveNode } from '../nodes.ts'
import { type Parameters, parseParameters } from '../parameters.ts'
import { runClientSession } from '../sessions/client-session.ts'
import { commandKind } from '../sessions/command-activity.ts'
import { checkDocument, wrongDocument } from '../sessions/document-types.ts'
import { shellKind } from '../sessions/shell-activity.ts'
import type { SettingsOptions } from '../settings.ts'
import { shellQuote } from '../shell-quote.ts'
import { startSession } from '../start-session.ts'
import { openTerminal, type Terminal } from '../terminal/terminal.ts'

export type ExecOptions = SettingsOptions & {
  tty?: boolean
  /** False: the command's input is at its end from the start. */
  input?: boolean
  reason?: string
  documentName?: string
  parameters?: string[]
}

type Parts = { terminal?: Terminal; runSession?: RunSession }

/** Statuses of a command that was ended because of a signal or a closed pipe, which need no comment. */
const SIGNALLED = 128

/**
 * `sallyport exec`: one command on a node, found by id or name. Standard input, output and error are the command's, and
 * so is the exit status. With a terminal (`tty`) it is a session as `connect` has it.
 */
export const exec = async (
  wanted: string,
  argv: readonly string[],
  options: ExecOptions,
  context: CommandContext,
  parts: Parts = {},
): Promise<number> => {
  const request = requestOf(argv, options)
  const { client, ca } = await context.connect(options)
  const target = await resolveNode(client, wanted)
  const session = await startSession(client, {
    Target: target,
    ...request,
    ...(options.reason ? { Reason: options.reason } : {}),
  })
  const terminal = parts.terminal ?? openTerminal()
  let statusDue = false
  const end = await attachSession({
    client,
    ca,
    session,
    terminal,
    runSession:
      parts.runSession ??
      runSessionFor(options, separate => {
        statusDue = separate
      }),
  })
  const { reason, exitCode, exitStatus } = verdict(end, statusDue)
  if (reason !== '' && (exitCode < SIGNALLED || exitCode === EXIT.connectionLost)) {
    terminal.notice(`sallyport: ${inertLines(reason)} (session ${inert(session.sessionId)})`)
  }
  return exitStatus ?? exitCode
}

/** A script must not take a session that somebody terminated for a command that went well. */
const verdict = (end: SessionEnd, statusDue: boolean): SessionEnd => {
  // Once the command may have begun, 1 would pass for its own status.
  if (end.exitCode === EXIT.failure && end.exitStatus === undefined && statusDue) {
    return { reason: end.reason, exitCode: EXIT.connectionLost }
  }
  if (end.exitCode !== EXIT.ok) return { reason: end.reason, exitCode: end.exitCode }
  if (end.exitStatus !== undefined || !statusDue) return end
  return { reason: 'The session was ended before the command.', exitCode: EXIT.connectionLost }
}

const requestOf = (argv: readonly string[], { tty, documentName, parameters }: ExecOptions) => {
  checkDocument(documentName, 'exec', 'connect')
  const given: Parameters = parseParameters(parameters ?? [])
  if (argv[0] === '') throw usageError('The command is empty.')
  if (argv.length > 0 && given.command !== undefined) {
    throw usageError('The command is given twice: by --parameters, and by the words behind it.')
  }
  if (argv.length > 0) given.command = [shellQuote(argv)]
  else if (documentName === undefined) {
    throw usageError('There is no command. For example: sallyport exec web-1 -- df -h')
  }
  if (documentName !== undefined) return { DocumentName: documentName, Parameters: given }
  if (tty) return { DocumentName: 'AWS-StartInteractiveCommand', Parameters: given }
  // So that a stock agent tells the streams apart and the exit status; ours does in any case.
  given.separateOutputStream = ['true']
  return { DocumentName: 'AWS-StartNonInteractiveCommand', Parameters: given }
}

/** With a document of one's own only the agent knows which type its sessions are. */
const runSessionFor = (
  { tty, documentName, input = true }: ExecOptions,
  onStart: (withStatus: boolean) => void,
): RunSession => {
  const command = commandKind({
    withoutInput: !input,
    onStart: ({ ownAgent }) => onStart(ownAgent || documentName === undefined),
  })
  if (documentName !== undefined) return runClientSession([command, shellKind], wrongDocument(documentName))
  return runClientSession([tty ? shellKind : command])
}
