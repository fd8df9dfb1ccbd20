import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { AccessPlan } from '@sallyport/server/iam/access-plan'
import { CLIENT_TOKEN_LIFETIME, newClientToken } from '@sallyport/server/iam/channel-tokens'
import type { Person } from '@sallyport/server/iam/principal'
import {
  RESUME_SESSION,
  START_SESSION,
  sessionCheck,
  startSessionPlan,
} from '@sallyport/server/session-authority/plan'
import { resumedRecord, wantedOf } from '@sallyport/server/session-authority/record'
import { type OperationContext, operation } from '../../operation.ts'
import { streamUrl } from '../../stream-url.ts'

const OPEN_DATA_CHANNEL = 'ssmmessages:OpenDataChannel'

/**
 * A new token for a session that goes on; the one before is worthless from then on (control-plane.md 19). A session
 * is its owner's alone: to anybody else it looks like one that does not exist.
 */
export const resumeSession = operation({
  input: ssmOperations.ResumeSession.input,
  callers: ['person'],
  access: ({ SessionId }, context, principal) => resumePlan(context, SessionId, principal),
  run: async ({ store, scope, now, origin, facts }, { SessionId: sessionId }, principal) => {
    const session = await store.sessions.get(scope, sessionId)
    const { token, hash } = newClientToken()
    const expiresAt = now + CLIENT_TOKEN_LIFETIME
    const live =
      session?.ownerUserId === principal.userId &&
      (await store.sessions.setClientToken(scope, sessionId, {
        hash,
        expiresAt,
        authority: before => resumedRecord(before, principal, facts),
      }))
    if (!live)
      throw new AwsError('DoesNotExistException', `There is no session ${sessionId}, or it has ended.`)
    return { SessionId: sessionId, TokenValue: token, StreamUrl: streamUrl(origin, sessionId) }
  },
})

/** Whoever may still start it may resume it, unless that is denied: AWS's minimum policies name it not (DESIGN 6.6). */
async function resumePlan(
  context: OperationContext,
  sessionId: string,
  principal: Person,
): Promise<AccessPlan> {
  const { store, scope, access, facts } = context
  const session = await store.sessions.get(scope, sessionId)
  const all = [sessionCheck(context, sessionId, session, RESUME_SESSION)]
  const channel = sessionCheck(context, sessionId, session, OPEN_DATA_CHANNEL)
  const opened = await access.decide(principal, { all: [channel] }, OPEN_DATA_CHANNEL, facts)
  // Nothing has to allow it: the minimum policies do not name it either.
  if (!opened.allowed && opened.decision.reason === 'explicit-deny') all.push(channel)
  if (session?.ownerUserId !== principal.userId) return { all }
  const start = await startSessionPlan(context, wantedOf(session))
  if (start.otherwise === undefined) return { all, otherwise: start.all }
  const { allowed } = await access.decide(principal, { all: start.all }, START_SESSION, facts)
  return { all, otherwise: allowed ? start.all : start.otherwise }
}
