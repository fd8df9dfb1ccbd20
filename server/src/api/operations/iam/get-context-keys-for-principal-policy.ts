import { iamOperations } from '@sallyport/protocol/api/iam'
import type { GetContextKeysOutput } from '@sallyport/protocol/api/iam-simulation'
import { operation } from '../../operation.ts'
import { contextKeysOf, policiesOf } from './context-keys.ts'
import { simulatedPrincipal } from './simulated-principals.ts'
import { inputPolicies } from './simulation.ts'

export const getContextKeysForPrincipalPolicy = operation({
  input: iamOperations.GetContextKeysForPrincipalPolicy.input,
  callers: ['person'],
  access: ({ PolicySourceArn }) => ({ all: [{ resource: PolicySourceArn }] }),
  run: async (context, { PolicySourceArn, PolicyInputList = [] }): Promise<GetContextKeysOutput> => {
    const { set } = await simulatedPrincipal(context, PolicySourceArn)
    const added = inputPolicies(PolicyInputList, 'PolicyInputList')
    return { ContextKeyNames: contextKeysOf([...policiesOf(set), ...added]) }
  },
})
