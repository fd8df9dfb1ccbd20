import { iamPolicyOperations } from './iam-policies.ts'
import { iamRoleOperations } from './iam-roles.ts'
import { iamSimulationOperations } from './iam-simulation.ts'
import { iamUserOperations } from './iam-users.ts'

// control-plane.md 29

export const IAM_VERSION = '2010-05-08'
export const IAM_XMLNS = 'https://iam.amazonaws.com/doc/2010-05-08/'

export const iamOperations = {
  ...iamRoleOperations,
  ...iamUserOperations,
  ...iamPolicyOperations,
  ...iamSimulationOperations,
} as const
