import { SessionType } from '@sallyport/protocol/handshake'

/** A session whose client never came is nobody's. */
export const CLIENT_START_TIMEOUT = 5 * 60_000
/** A person is told so long before a session ends by its clock; of a short limit the last tenth is warning enough. */
export const WARNING = 60_000
const WARNING_SHARE = 1 / 10

export type SessionFacts = {
  sessionId: string
  nodeId: string
  sessionType: string
  startedAt: number
  idleTimeoutMs: number
  maxDurationMs: number | null
  /** When the credentials expire that it was started with, if it ends with them; ms since the epoch. */
  credentialsExpireAt: number | null
  /** What had happened before this relay was made: after a restart, a session is in the middle of its life. */
  agentCame: boolean
  clientCame: boolean
  /** The record says that the client is away. */
  disconnected: boolean
  agreed: boolean
}

export type Ending = {
  status: 'Terminated' | 'Failed'
  /** For the record. */
  details: string
  /** For the user; empty for an ordinary end. */
  output: string
  /** Whether the node does not know of it. */
  tellNode: boolean
  /** What waits for either end is dropped: nobody may have it any more. */
  cut?: boolean
}

/** `remaining` milliseconds from now the session ends; `before` that, the person at the client is told. */
export type Deadline = { remaining: number; ending: Ending; warning?: { before: number; text: string } }

/** Milliseconds, all of a clock that never steps. */
export type Progress = {
  /** Since the session was started. */
  age: number
  /** Since this gateway took the session over. */
  here: number
  /** Since somebody did something. */
  idle: number
  agentCame: boolean
  clientCame: boolean
}

/** The clocks that run for a session, which neither end has (data-plane.md 17). */
export function sessionDeadlines(facts: SessionFacts, progress: Progress, startTimeout: number): Deadline[] {
  const { maxDurationMs, credentialsExpireAt, nodeId } = facts
  const { age, here, agentCame, clientCame } = progress
  const deadlines: Deadline[] = []
  if (agentCame) deadlines.push(idleDeadline(facts, progress.idle))
  else {
    const reason = `${nodeId} did not open its end of the session within ${startTimeout / 1000} s. Its agent is connected but does not answer, or cannot reach this server a second time.`
    const ending = { status: 'Failed', details: reason, output: reason, tellNode: true } as const
    deadlines.push({ remaining: startTimeout - age, ending })
  }
  if (!clientCame) {
    const ending = terminated('The client never opened its data channel', '')
    deadlines.push({ remaining: CLIENT_START_TIMEOUT - here, ending })
  }
  if (maxDurationMs !== null) deadlines.push(durationDeadline(maxDurationMs, age))
  if (credentialsExpireAt !== null) deadlines.push(expiryDeadline(credentialsExpireAt - facts.startedAt, age))
  return deadlines
}

function idleDeadline({ idleTimeoutMs, sessionType }: SessionFacts, idle: number): Deadline {
  const before = warningTime(idleTimeoutMs)
  const text = idleWarning(sessionType, inWords(idleTimeoutMs - before), inWords(before))
  return {
    remaining: idleTimeoutMs - idle,
    ending: terminated('Idle timeout', 'Your session timed out due to inactivity and has been terminated.'),
    warning: { before, text },
  }
}

/** What keeps a session open differs: at some there is nobody whose keys would go anywhere. */
function idleWarning(sessionType: string, quiet: string, rest: string): string {
  switch (sessionType) {
    case SessionType.port:
      return `No data has passed for ${quiet}. This session ends in ${rest} unless something goes through it.`
    case SessionType.nonInteractiveCommands:
      return `The command has read and written nothing for ${quiet}. This session ends in ${rest} unless it reads or writes something.`
    default:
      return `Nothing was typed or printed for ${quiet}. This session ends in ${rest}; press a key to keep it open.`
  }
}

function durationDeadline(maxDurationMs: number, age: number): Deadline {
  const before = warningTime(maxDurationMs)
  const limit = inWords(maxDurationMs)
  return {
    remaining: maxDurationMs - age,
    ending: terminated(
      'Maximum duration',
      `Your session reached its maximum duration of ${limit} and has been terminated.`,
    ),
    warning: {
      before,
      text: `This session ends in ${inWords(before)}, when it reaches its maximum duration of ${limit}. Nothing can put that off; save your work.`,
    },
  }
}

/** `lifetime`: from the start of the session on. */
function expiryDeadline(lifetime: number, age: number): Deadline {
  const before = warningTime(lifetime)
  return {
    remaining: lifetime - age,
    ending: terminated(
      'Credentials expired',
      'The credentials that this session was started with have expired.',
    ),
    warning: {
      before,
      text: `This session ends in ${inWords(before)}, when the credentials expire that it was started with. Save your work; with new credentials you can start another.`,
    },
  }
}

function warningTime(limit: number): number {
  return Math.min(WARNING, limit * WARNING_SHARE)
}

/** Whole minutes as such, anything else in seconds. */
function inWords(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000)
  const [count, unit] = seconds % 60 === 0 ? [seconds / 60, 'minute'] : [seconds, 'second']
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

function terminated(details: string, output: string): Ending {
  return { status: 'Terminated', details, output, tellNode: true }
}
