import { agentOperations } from './ssm-agent.ts'
import { commandOperations } from './ssm-commands.ts'
import { documentOperations } from './ssm-documents.ts'
import { nodeOperations } from './ssm-nodes.ts'
import { parameterOperations } from './ssm-parameters.ts'
import { releaseOperations } from './ssm-release.ts'
import { sessionOperations } from './ssm-sessions.ts'
import { settingOperations } from './ssm-settings.ts'

/** Before the dot of `X-Amz-Target`. */
export const SSM_TARGET_PREFIX = 'AmazonSSM'

/** The operations of SSM by name, as they stand behind the dot of `X-Amz-Target`. */
export const ssmOperations = {
  ...agentOperations,
  ...commandOperations,
  ...documentOperations,
  ...nodeOperations,
  ...parameterOperations,
  ...releaseOperations,
  ...sessionOperations,
  ...settingOperations,
} as const

export type SsmOperation = keyof typeof ssmOperations
