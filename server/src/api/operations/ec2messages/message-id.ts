import { AwsError } from '@sallyport/protocol/aws/error'
import { readJobId } from '@sallyport/protocol/run-command'
import type { JobName } from '@sallyport/server/commands/commands'
import type { OperationContext } from '../../operation.ts'

type Message = { readonly MessageId: string }

/**
 * The node that a message is for, by `aws.ssm.<commandId>.<nodeId>` (control-plane.md 9). Empty for an id of another
 * form, which is no node's.
 */
export function nodeOfMessage({ MessageId }: Message): string {
  return readJobId(MessageId)?.nodeId ?? ''
}

/** What a message is about. Throws InvalidMessageIdException for what never was a message for the node. */
export async function jobOfMessage(
  { store, scope, polls }: OperationContext,
  nodeId: string,
  { MessageId }: Message,
): Promise<JobName> {
  const cancelled = polls.delivered.cancelledBy(MessageId)
  if (cancelled !== undefined) return { kind: 'cancel', commandId: cancelled }
  const commandId = readJobId(MessageId)?.commandId ?? ''
  const invocation = await store.invocations.get(scope, commandId, nodeId)
  // One that still waits for its turn was not delivered to anybody.
  if (invocation === undefined || invocation.releasedAt === null) {
    throw new AwsError('InvalidMessageIdException', `There is no message ${MessageId} for ${nodeId}.`)
  }
  return { kind: 'command', commandId }
}
