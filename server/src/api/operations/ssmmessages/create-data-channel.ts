import { createChannelResponse, ssmmessagesOperations } from '@sallyport/protocol/api/ssmmessages'
import { AwsError } from '@sallyport/protocol/aws/error'
import { withChannelId } from '../../channel-input.ts'
import { operation } from '../../operation.ts'

/** Agents stop dialling when they read this (data-plane.md 9.1). */
const ENDED = 'Session is already terminated'

/** data-plane.md 9.1. A node gets channels of its own sessions only, and cannot tell others' from none. */
export const createDataChannel = operation({
  input: withChannelId(ssmmessagesOperations.CreateDataChannel.input),
  callers: ['node'],
  run: async ({ channelTokens, now, store, scope }, { ChannelId: sessionId }, { nodeId }) => {
    const session = await store.sessions.get(scope, sessionId)
    if (session === undefined || session.nodeId !== nodeId) {
      throw new AwsError('BadRequest', `There is no session ${sessionId} of node ${nodeId}.`)
    }
    const over = session.endedAt !== null || session.status === 'Terminating'
    if (over) throw new AwsError('BadRequest', `${ENDED}.`)
    // The node has the task: it need not be told again.
    await store.tasks.deleteForSession(scope, sessionId, 'start-session')
    return {
      xml: createChannelResponse(
        'data',
        channelTokens.issue({ kind: 'data', channelId: sessionId, nodeId }, now),
      ),
    }
  },
})
