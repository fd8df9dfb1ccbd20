import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { CLIENT_TOKEN_LIFETIME, newClientToken } from '@sallyport/server/iam/channel-tokens'
import { operation } from '../../operation.ts'
import { sessionResource } from '../../resources.ts'
import { streamUrl } from '../../stream-url.ts'

/**
 * A new token for a session that goes on; the one before is worthless from then on (control-plane.md 19). A session
 * is its owner's alone: to anybody else it looks like one that does not exist.
 */
export const resumeSession = operation({
  input: ssmOperations.ResumeSession.input,
  callers: ['user'],
  resources: (input, context) => [sessionResource(context, input.SessionId)],
  run: async ({ store, scope, now, origin }, { SessionId: sessionId }, principal) => {
    const session = await store.sessions.get(scope, sessionId)
    const { token, hash } = newClientToken()
    const expiresAt = now + CLIENT_TOKEN_LIFETIME
    const live =
      session?.ownerUserId === principal.userId &&
      (await store.sessions.setClientToken(scope, sessionId, { hash, expiresAt }))
    if (!live)
      throw new AwsError('DoesNotExistException', `There is no session ${sessionId}, or it has ended.`)
    return { SessionId: sessionId, TokenValue: token, StreamUrl: streamUrl(origin, sessionId) }
  },
})
