/** A session whose client never came is nobody's. */
export const CLIENT_START_TIMEOUT = 5 * 60_000

export type SessionFacts = {
  sessionId: string
  nodeId: string
  sessionType: string
  startedAt: number
  idleTimeoutMs: number
  maxDurationMs: number | null
  /** What had happened before this relay was made: after a restart, a session is in the middle of its life. */
  agentCame: boolean
  clientCame: boolean
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
}

export type Deadline = { at: number; ending: Ending }

/** Times in milliseconds since the epoch. */
export type Progress = {
  /** When this gateway took the session over. */
  since: number
  lastActivity: number
  agentCame: boolean
  clientCame: boolean
}

/** The clocks that run for a session, which neither end has (data-plane.md 17). */
export function sessionDeadlines(facts: SessionFacts, progress: Progress, startTimeout: number): Deadline[] {
  const { startedAt, maxDurationMs, nodeId } = facts
  const { since, lastActivity, agentCame, clientCame } = progress
  const deadlines: Deadline[] = []
  if (agentCame) {
    const output = 'Your session timed out due to inactivity and has been terminated.'
    deadlines.push({ at: lastActivity + facts.idleTimeoutMs, ending: terminated('Idle timeout', output) })
  } else {
    const reason = `${nodeId} did not open its end of the session within ${startTimeout / 1000} s. Its agent is connected but does not answer, or cannot reach this server a second time.`
    const ending = { status: 'Failed', details: reason, output: reason, tellNode: true } as const
    deadlines.push({ at: startedAt + startTimeout, ending })
  }
  if (!clientCame) {
    const ending = terminated('The client never opened its data channel', '')
    deadlines.push({ at: Math.max(startedAt, since) + CLIENT_START_TIMEOUT, ending })
  }
  if (maxDurationMs !== null) {
    const minutes = maxDurationMs / 60_000
    const output = `Your session reached its maximum duration of ${minutes} minute${minutes === 1 ? '' : 's'} and has been terminated.`
    deadlines.push({ at: startedAt + maxDurationMs, ending: terminated('Maximum duration', output) })
  }
  return deadlines
}

function terminated(details: string, output: string): Ending {
  return { status: 'Terminated', details, output, tellNode: true }
}
