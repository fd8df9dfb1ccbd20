import { iamOperations } from '@sallyport/protocol/api/iam'
import type { GetContextKeysOutput } from '@sallyport/protocol/api/iam-simulation'
import { operation } from '../../operation.ts'
import { contextKeysOf } from './context-keys.ts'
import { inputPolicies } from './simulation.ts'

export const getContextKeysForCustomPolicy = operation({
  input: iamOperations.GetContextKeysForCustomPolicy.input,
  callers: ['person'],
  run: async (_, { PolicyInputList }): Promise<GetContextKeysOutput> => ({
    ContextKeyNames: contextKeysOf(inputPolicies(PolicyInputList, 'PolicyInputList')),
  }),
})
