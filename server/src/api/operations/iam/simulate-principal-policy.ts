import { iamOperations } from '@sallyport/protocol/api/iam'
import type { SimulatePolicyOutput } from '@sallyport/protocol/api/iam-simulation'
import { operation } from '../../operation.ts'
import { unreadablePolicies } from './readable-policies.ts'
import { simulatedPrincipal } from './simulated-principals.ts'
import { simulate } from './simulation.ts'

/** What a user, a group or a role could do, by the policies that hold for them at this moment and by more if given. */
export const simulatePrincipalPolicy = operation({
  input: iamOperations.SimulatePrincipalPolicy.input,
  callers: ['person'],
  access: ({ PolicySourceArn }) => ({ all: [{ resource: PolicySourceArn }] }),
  run: async (context, input, caller): Promise<SimulatePolicyOutput> => {
    const simulated = await simulatedPrincipal(context, input.PolicySourceArn)
    const unread = await unreadablePolicies(context, caller, simulated.set)
    return await simulate(simulated, input, policy => !unread.has(policy))
  },
})
