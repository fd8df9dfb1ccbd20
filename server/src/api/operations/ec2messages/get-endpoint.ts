import { ec2messagesOperations } from '@sallyport/protocol/api/ec2messages'
import { operation } from '../../operation.ts'

/** Where a node shall send its messages: where it sent this one. */
export const getEndpoint = operation({
  input: ec2messagesOperations.GetEndpoint.input,
  callers: ['node'],
  ownNode: input => input.Destination,
  run: async ({ origin }) => ({ Endpoint: origin }),
})
