import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { operation } from '../../operation.ts'

/** There are no associations; an agent that gets an error here asks in older ways (control-plane.md 8.4). */
export const listInstanceAssociations = operation({
  input: ssmOperations.ListInstanceAssociations.input,
  callers: ['node'],
  ownNode: input => input.InstanceId,
  run: async () => ({ Associations: [] }),
})
