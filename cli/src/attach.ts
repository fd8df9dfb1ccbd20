import { SessionGoneError } from '@sallyport/protocol/session-link'
import type { Connection } from '@sallyport/protocol/transport/transport'
import { type ApiClient, ApiError } from './client.ts'
import { CliError } from './errors.ts'
import type { Terminal } from './terminal/terminal.ts'

/** What StartSession answers, and the plugin is given. */
export type StartedSession = { sessionId: string; tokenValue: string; streamUrl: string }

export type SessionOptions = {
  session: StartedSession
  terminal: Terminal
  /** A new token for a broken connection; undefined when the server says that the session is over. */
  resume: () => Promise<{ tokenValue: string } | undefined>
  terminate: () => Promise<void>
  tls: { ca?: string }
  /** From now on these signals are what the activity takes them for, and end nothing by themselves. */
  onSignals: (signals: readonly SessionSignal[], handler: (signal: SessionSignal) => void) => void
  /** Opens a websocket; a real one unless given. */
  dialStream?: (url: string) => Promise<Connection>
}

export type SessionSignal = 'SIGHUP' | 'SIGINT' | 'SIGTERM' | 'SIGQUIT' | 'SIGTSTP'

export type SessionEnd = {
  /** Why it ended, for the person; empty for an ordinary end. */
  reason: string
  /** 0 for an ordinary end. */
  exitCode: number
  /** Of what ran on the node, where both ends can tell. */
  exitStatus?: number
}

export type RunSession = (options: SessionOptions) => Promise<SessionEnd>

export type AttachOptions = {
  client: ApiClient
  session: StartedSession
  terminal: Terminal
  ca?: string | undefined
  runSession: RunSession
  /**
   * End the session when the parent process is gone. For the plugin: a killed aws CLI leaves it without anybody who
   * could end it, holding the terminal or a port (user-needs.md 5).
   */
  endWithParent?: boolean
  process?: Pick<NodeJS.Process, 'on' | 'off' | 'ppid'>
}

/** Exit statuses are those of a shell: 128 and the number of the signal. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const
const SIGPIPE = 141

/** How long an ending program waits for the server to take note; the server reaps the session later if it did not. */
const TERMINATE_WITHIN_MS = 3000
const PARENT_CHECK_MS = 1000

/**
 * Runs a session on the terminal to its end, and gives the terminal back. A signal, a reader of stdout that has gone
 * and (if asked for) the death of the parent end the session on the server too, so that nothing is left running on
 * the node.
 */
export const attachSession = async (options: AttachOptions): Promise<SessionEnd> => {
  const { client, session, terminal, ca, runSession } = options
  const terminate = async () => {
    await client.call('ssm', 'TerminateSession', { SessionId: session.sessionId })
  }
  const resume = () => resumeSession(client, session.sessionId)
  const interruption = interruptions(options)
  const { onSignals } = interruption
  const run = runSession({
    session,
    terminal,
    resume,
    terminate,
    tls: ca === undefined ? {} : { ca },
    onSignals,
  })
  try {
    let interruptedBy: SessionEnd | undefined
    const interrupted = interruption.happened.then(async end => {
      interruptedBy = end
      terminal.restore()
      await within(TERMINATE_WITHIN_MS, terminate())
      return end
    })
    // The server's answer to `terminate` may end the session here first; the reason is still the interruption.
    return await Promise.race([run.then(end => interruptedBy ?? end), interrupted])
  } finally {
    // What the session still says after an interruption concerns nobody any more.
    run.catch(() => {})
    terminal.restore()
    interruption.stop()
  }
}

const resumeSession = async (client: ApiClient, sessionId: string) => {
  try {
    const answer = (await client.call('ssm', 'ResumeSession', { SessionId: sessionId })) as {
      TokenValue?: unknown
    }
    // An ended session may have an answer without a token (data-plane.md 16.1).
    const { TokenValue } = answer
    return typeof TokenValue === 'string' && TokenValue !== '' ? { tokenValue: TokenValue } : undefined
  } catch (error) {
    if (error instanceof ApiError && error.code === 'DoesNotExistException') return undefined
    if (isFinal(error)) {
      throw new SessionGoneError(`The connection was lost and cannot be resumed: ${(error as Error).message}`)
    }
    throw error
  }
}

/** Who may not, or has no credentials, does not get them by asking again; those that have expired may be renewed. */
const isFinal = (error: unknown): boolean =>
  error instanceof CliError ||
  (error instanceof ApiError &&
    /^(AccessDenied|UnrecognizedClient|InvalidClientToken|SignatureDoesNotMatch)/.test(error.code))

const interruptions = ({ terminal, endWithParent, process: own = process }: AttachOptions) => {
  let interrupt: (reason: string, exitCode: number) => void = () => {}
  const happened = new Promise<SessionEnd>(resolve => {
    interrupt = (reason, exitCode) => resolve({ reason, exitCode })
  })
  const handlers = new Map<SessionSignal, () => void>()
  const listen = (signal: SessionSignal, handler: () => void) => {
    const before = handlers.get(signal)
    if (before !== undefined) own.off(signal, before)
    handlers.set(signal, handler)
    own.on(signal, handler)
  }
  const stop = (kept?: SessionSignal) => {
    clearInterval(watch)
    for (const [signal, handler] of handlers) if (signal !== kept) own.off(signal, handler)
  }
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    listen(signal as keyof typeof SIGNALS, () => interrupt(`ended by ${signal}`, exitCode))
  }
  const parent = own.ppid
  const watch = setInterval(() => {
    if (endWithParent && own.ppid !== parent)
      interrupt('the program that started this one has gone', SIGNALS.SIGHUP)
  }, PARENT_CHECK_MS)
  watch.unref()
  terminal.onOutputError(error => interrupt(`standard output cannot be written: ${error.message}`, SIGPIPE))
  // A second signal finds the default action again, and ends the program at once. Hang-ups come in twos, from the
  // shell and from the kernel, when a terminal is closed: that is no impatience.
  void happened.then(() => stop('SIGHUP'))
  const onSignals: SessionOptions['onSignals'] = (signals, handler) => {
    for (const signal of signals) listen(signal, () => handler(signal))
  }
  return { happened, onSignals, stop: () => stop() }
}

const within = async (ms: number, work: Promise<void>): Promise<void> => {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>(resolve => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([work.catch(() => {}), timeout])
  clearTimeout(timer)
}
