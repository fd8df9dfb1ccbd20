import { iamOperations } from '@sallyport/protocol/api/iam'
import type { SimulatePolicyOutput } from '@sallyport/protocol/api/iam-simulation'
import { operation } from '../../operation.ts'
import { nobodysContext } from './simulated-principals.ts'
import { simulate } from './simulation.ts'

/** What somebody could do who had the given policies and no others. */
export const simulateCustomPolicy = operation({
  input: iamOperations.SimulateCustomPolicy.input,
  callers: ['person'],
  run: (context, input): Promise<SimulatePolicyOutput> =>
    simulate({ set: { identity: [] }, context: nobodysContext(context) }, input, () => true),
})
