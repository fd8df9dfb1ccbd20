import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { UnlabelParameterVersionOutput } from '@sallyport/protocol/api/ssm-parameters'
import { operation } from '../../operation.ts'
import { parameterCheck, parameterNotFound, versionNotFound } from './parameters.ts'

export const unlabelParameterVersion = operation({
  input: ssmOperations.UnlabelParameterVersion.input,
  callers: ['person'],
  access: async ({ Name }, context) => ({ all: [await parameterCheck(context, Name)] }),
  run: async ({ store, scope }, input): Promise<UnlabelParameterVersionOutput> => {
    const { Name, ParameterVersion, Labels } = input
    const removed = await store.parameters.unlabel(scope, Name, ParameterVersion, Labels)
    if (removed === 'absent') throw parameterNotFound(Name)
    if (removed === 'no-version') throw versionNotFound(Name, ParameterVersion)
    return { RemovedLabels: removed, InvalidLabels: Labels.filter(label => !removed.includes(label)) }
  },
})
