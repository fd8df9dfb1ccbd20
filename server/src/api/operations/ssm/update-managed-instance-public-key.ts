import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { operation } from '../../operation.ts'
import { checkPublicKey } from './register-managed-instance.ts'

/** Key rotation: signed with the old key, after which only the new one counts (control-plane.md 4.4). */
export const updateManagedInstancePublicKey = operation({
  input: ssmOperations.UpdateManagedInstancePublicKey.input,
  callers: ['node-key'],
  run: async ({ store, scope }, { NewPublicKey }, { nodeId }) => {
    checkPublicKey(NewPublicKey)
    await store.nodes.updatePublicKey(scope, nodeId, NewPublicKey)
    return {}
  },
})
