import { randomUUID } from 'node:crypto'
import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { nodeSubject, sessionSubject } from '@sallyport/server/bus/bus'
import { operation } from '../../operation.ts'
import { sessionResource } from '../../resources.ts'

/** Ending a session that has ended is no error (control-plane.md 19). */
export const terminateSession = operation({
  input: ssmOperations.TerminateSession.input,
  callers: ['user'],
  resources: (input, context) => [sessionResource(context, input.SessionId)],
  run: async ({ store, scope, now, bus }, { SessionId: sessionId }, principal) => {
    const session = await store.sessions.get(scope, sessionId)
    if (session === undefined)
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
