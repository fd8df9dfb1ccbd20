import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { operation } from '../../operation.ts'
import { parameterCheck, parameterNotFound } from './parameters.ts'

/** With its versions, labels and tags. */
export const deleteParameter = operation({
  input: ssmOperations.DeleteParameter.input,
  callers: ['person'],
  access: async ({ Name }, context) => ({ all: [await parameterCheck(context, Name)] }),
  run: async ({ store, scope }, { Name }) => {
    if (!(await store.parameters.remove(scope, Name))) throw parameterNotFound(Name)
    return {}
  },
})
