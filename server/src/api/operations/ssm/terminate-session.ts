import { randomUUID } from 'node:crypto'
import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { nodeSubject, sessionSubject } from '@sallyport/server/bus/bus'
import { type Person, sessionNameOf } from '@sallyport/server/iam/principal'
import { sessionCheck } from '@sallyport/server/session-authority/plan'
import type { Session } from '@sallyport/server/store/sessions'
import { type OperationContext, operation } from '../../operation.ts'

const TERMINATE_SESSION = 'ssm:TerminateSession'

/** Ending a session that has ended is no error (control-plane.md 19). */
export const terminateSession = operation({
  input: ssmOperations.TerminateSession.input,
  callers: ['person'],
  access: async ({ SessionId }, context) => {
    const session = await context.store.sessions.get(context.scope, SessionId)
    return { all: [sessionCheck(context, SessionId, session, TERMINATE_SESSION)] }
  },
  run: async (context, { SessionId: sessionId }, principal) => {
    const { store, scope, now, bus } = context
    const session = await store.sessions.get(scope, sessionId)
    if (session === undefined || !(await isMeant(context, session, principal)))
      throw new AwsError('DoesNotExistException', `There is no session ${sessionId}.`)
    const { nodeId } = session
    const [, , , , , ...who] = principal.arn.split(':')
    // For a client that is still there: one that has ended its session itself has closed its channel.
    const output = `The session was ended by ${who.join(':')}.`
    const ended = await store.sessions.end(scope, sessionId, {
      status: 'Terminated',
      details: `Terminated by ${principal.arn}`,
      now,
      task: { taskId: randomUUID(), nodeId, kind: 'end-session', sessionId, payload: {}, createdAt: now },
    })
    if (ended) {
      await bus.publish(sessionSubject(scope, sessionId), { type: 'ended', output })
      await bus.publish(nodeSubject(scope, nodeId), { type: 'tasks' })
    }
    return { SessionId: sessionId }
  },
})

/**
 * Policies name one's own sessions by what their ids begin with, `session/${aws:username}-*` (control-plane.md 34.3).
 * Ids of others may begin so too: those of a role session of that name, and those of alice-2 for alice. Such a session
 * counts for its owner alone, and for policies that do not ask whose it is (security-cases.md 19).
 */
async function isMeant(context: OperationContext, session: Session, principal: Person): Promise<boolean> {
  const { sessionId, ownerUserId } = session
  if (ownerUserId === principal.userId || !sessionId.startsWith(`${sessionNameOf(principal)}-`)) return true
  const check = sessionCheck(context, `${ownerUserId}-${sessionId}`, session, TERMINATE_SESSION)
  const { allowed } = await context.access.decide(
    principal,
    { all: [check] },
    TERMINATE_SESSION,
    context.facts,
  )
  return allowed
}
