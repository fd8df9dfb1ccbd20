import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { operation } from '../../operation.ts'
import { checkPublicKey } from './register-managed-instance.ts'

/** Key rotation: signed with the old key, after which only the new one counts (control-plane.md 4.4). */
export const updateManagedInstancePublicKey = operation({
  input: ssmOperations.UpdateManagedInstancePublicKey.input,
  callers: ['node-key'],
  access: () => ({ all: [] }),
  run: async ({ store, scope }, { NewPublicKey }, { nodeId }) => {
    checkPublicKey(NewPublicKey)
    const known = await store.nodes.updatePublicKey(scope, nodeId, NewPublicKey)
    if (!known) throw new AwsError('InvalidInstanceId', `Node ${nodeId} is not registered here.`)
    return {}
  },
})
