import { AwsError } from '@sallyport/protocol/aws/error'

/**
 * The node that a message is for, by `aws.ssm.<commandId>.<nodeId>` (control-plane.md 9). Empty for an id of another
 * form, which is no node's.
 */
export function nodeOfMessage({ MessageId }: { readonly MessageId: string }): string {
  return /^aws\.ssm\.[^.]+\.([^.]+)$/.exec(MessageId)?.[1] ?? ''
}

export function noSuchMessage(nodeId: string, messageId: string): AwsError {
  return new AwsError('InvalidMessageIdException', `There is no message ${messageId} for ${nodeId}.`)
}
