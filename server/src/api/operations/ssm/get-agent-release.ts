import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { GetAgentReleaseOutput } from '@sallyport/protocol/api/ssm-release'
import { AwsError } from '@sallyport/protocol/aws/error'
import { operation } from '../../operation.ts'
import { ON_CONTROL_CHANNEL } from './node-actions.ts'

/** Ours: the version that agents update themselves to, which is the server's own. */
export const getAgentRelease = operation({
  input: ssmOperations.GetAgentRelease.input,
  callers: ['node'],
  access: () => ON_CONTROL_CHANNEL,
  run: async ({ agentRelease }): Promise<GetAgentReleaseOutput> => {
    const manifest = await agentRelease.manifest()
    if (manifest !== undefined) return manifest
    throw new AwsError(
      'ReleaseNotAvailable',
      'This server was not started from a build, so there is no agent that it could hand out. Build it (npm run build) and start dist/bin/sallyport.',
    )
  },
})
