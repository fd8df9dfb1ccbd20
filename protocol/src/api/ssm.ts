import { agentOperations } from './ssm-agent.ts'
import { documentOperations } from './ssm-documents.ts'
import { nodeOperations } from './ssm-nodes.ts'
import { sessionOperations } from './ssm-sessions.ts'

/** Before the dot of `X-Amz-Target`. */
export const SSM_TARGET_PREFIX = 'AmazonSSM'

/** The operations of SSM by name, as they stand behind the dot of `X-Amz-Target`. */
export const ssmOperations = {
  ...agentOperations,
  ...documentOperations,
  ...nodeOperations,
  ...sessionOperations,
} as const

export type SsmOperation = keyof typeof ssmOperations
