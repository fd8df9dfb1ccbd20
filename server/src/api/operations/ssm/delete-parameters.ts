import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { DeleteParametersOutput } from '@sallyport/protocol/api/ssm-parameters'
import { operation } from '../../operation.ts'
import { parameterCheck } from './parameters.ts'

export const deleteParameters = operation({
  input: ssmOperations.DeleteParameters.input,
  callers: ['person'],
  access: async ({ Names }, context) => ({
    all: await Promise.all(Names.map(name => parameterCheck(context, name))),
  }),
  run: async ({ store, scope }, { Names }): Promise<DeleteParametersOutput> => {
    const names = [...new Set(Names)]
    const removed = await Promise.all(names.map(name => store.parameters.remove(scope, name)))
    return {
      DeletedParameters: names.filter((_, at) => removed[at]),
      InvalidParameters: names.filter((_, at) => !removed[at]),
    }
  },
})
