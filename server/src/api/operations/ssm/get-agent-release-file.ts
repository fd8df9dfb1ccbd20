import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { type GetAgentReleaseFileOutput, RELEASE_CHUNK } from '@sallyport/protocol/api/ssm-release'
import { AwsError } from '@sallyport/protocol/aws/error'
import { operation } from '../../operation.ts'
import { ON_CONTROL_CHANNEL } from './node-actions.ts'

/** Ours: a file of the release, piece by piece. */
export const getAgentReleaseFile = operation({
  input: ssmOperations.GetAgentReleaseFile.input,
  callers: ['node'],
  access: () => ON_CONTROL_CHANNEL,
  run: async ({ agentRelease }, { ReleaseId, Path, Offset }): Promise<GetAgentReleaseFileOutput> => {
    const file = await agentRelease.file(ReleaseId, Path)
    if (file === undefined) {
      throw new AwsError(
        'ReleaseNotAvailable',
        `The server does not have ${Path} of release ${ReleaseId.slice(0, 12)} (any more). Ask for the release again.`,
      )
    }
    return { Content: Buffer.from(file.subarray(Offset, Offset + RELEASE_CHUNK)).toString('base64') }
  },
})
