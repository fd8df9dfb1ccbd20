import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { operation } from '../../operation.ts'

/** Nodes that registered with it stay (control-plane.md 23). */
export const deleteActivation = operation({
  input: ssmOperations.DeleteActivation.input,
  callers: ['person'],
  run: async ({ store, scope }, { ActivationId }) => {
    const deleted = await store.activations.delete(scope, ActivationId)
    if (!deleted) throw new AwsError('InvalidActivationId', `There is no activation ${ActivationId}.`)
    return {}
  },
})
