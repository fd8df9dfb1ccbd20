import { createHash } from 'node:crypto'
import {
  type DeliveredMessage,
  ec2messagesOperations,
  type GetMessagesOutput,
} from '@sallyport/protocol/api/ec2messages'
import { type BusMessage, nodeSubject } from '@sallyport/server/bus/bus'
import type { OwedJob } from '@sallyport/server/commands/commands'
import { messageIdOf } from '../../delivered-messages.ts'
import { type OperationContext, operation } from '../../operation.ts'

/**
 * The long poll of agents that have no control channel, or not yet (control-plane.md 9, 11.5): answered when a command
 * is owed to the node, and in any case before the agent gives up.
 */
export const getMessages = operation({
  input: ec2messagesOperations.GetMessages.input,
  callers: ['node'],
  ownNode: input => input.Destination,
  run: async (context, { Destination, MessagesRequestId }): Promise<GetMessagesOutput> => {
    const { polls, bus, scope, gone } = context
    const poll = polls.hold(Destination, gone)
    const unsubscribe = bus.subscribe(nodeSubject(scope, Destination), event => {
      if (isOfCommands(event)) poll.wake()
    })
    try {
      let { jobs, againIn } = await takeOwed(context, Destination)
      while (jobs.length === 0 && (await poll.woken(againIn))) {
        ;({ jobs, againIn } = await takeOwed(context, Destination))
      }
      return {
        Destination,
        MessagesRequestId,
        Messages: jobs.map(job => toMessage(context, Destination, job)),
      }
    } finally {
      unsubscribe()
      poll.end()
    }
  },
})

/** `againIn`: what was delivered and not acknowledged may be delivered again after so many milliseconds. */
type Taken = { jobs: readonly OwedJob[]; againIn?: number | undefined }

/** What a node is to be told here. An agent with a control channel asks too, for a minute, and is told there. */
async function takeOwed(context: OperationContext, nodeId: string): Promise<Taken> {
  const { commands, store, scope, polls } = context
  const owed = await commands.owed(nodeId)
  if (owed.length === 0 || (await store.nodes.get(scope, nodeId))?.connected) return { jobs: [] }
  const jobs = polls.delivered.take(nodeId, owed)
  const sent = jobs.filter(({ kind }) => kind === 'command').map(({ commandId }) => commandId)
  if (sent.length > 0) commands.sent(nodeId, sent)
  return { jobs, againIn: polls.delivered.hiddenFor(nodeId, owed) }
}

function toMessage({ now }: OperationContext, nodeId: string, owed: OwedJob): DeliveredMessage {
  const { topic, content } = owed.job
  return {
    MessageId: messageIdOf(nodeId, owed),
    Destination: nodeId,
    Topic: topic,
    Payload: content,
    CreatedDate: new Date(now).toISOString(),
    PayloadDigest: createHash('sha256').update(content).digest('hex'),
  }
}

function isOfCommands(event: BusMessage): boolean {
  return typeof event === 'object' && event !== null && 'type' in event && event.type === 'commands'
}
