import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { LabelParameterVersionOutput } from '@sallyport/protocol/api/ssm-parameters'
import { AwsError } from '@sallyport/protocol/aws/error'
import { operation } from '../../operation.ts'
import { parameterCheck, parameterNotFound, versionNotFound } from './parameters.ts'

const MAXIMUM_LABELS = 10
// API reference, LabelParameterVersion.
const LABEL = /^(?!aws|ssm)[a-z_.-][a-z0-9_.-]*$/i

/** A label that another version has moves. What cannot be a label is told, and the others are set. */
export const labelParameterVersion = operation({
  input: ssmOperations.LabelParameterVersion.input,
  callers: ['person'],
  access: async ({ Name }, context) => ({ all: [await parameterCheck(context, Name)] }),
  run: async ({ store, scope }, { Name, ParameterVersion, Labels }): Promise<LabelParameterVersionOutput> => {
    const valid = Labels.filter(label => LABEL.test(label))
    const version = await store.parameters.label(scope, Name, ParameterVersion, valid, MAXIMUM_LABELS)
    if (version === 'absent') throw parameterNotFound(Name)
    if (version === 'no-version') throw versionNotFound(Name, String(ParameterVersion))
    if (version === 'too-many') {
      throw new AwsError(
        'ParameterVersionLabelLimitExceeded',
        `A parameter version can have maximum ${MAXIMUM_LABELS} labels. Move one or more labels to another version and try again.`,
      )
    }
    return {
      InvalidLabels: Labels.filter(label => !valid.includes(label)),
      ParameterVersion: version,
    }
  },
})
