import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { GetParameterOutput } from '@sallyport/protocol/api/ssm-parameters'
import { operation } from '../../operation.ts'
import { findParameter, referenceCheck, toParameter } from './parameters.ts'

/** control-plane.md 24. For nodes too: their documents refer to parameters. */
export const getParameter = operation({
  input: ssmOperations.GetParameter.input,
  callers: ['person', 'node'],
  access: async ({ Name }, context) => ({ all: [await referenceCheck(context, Name)] }),
  run: async (context, { Name, WithDecryption }): Promise<GetParameterOutput> => ({
    Parameter: toParameter(context, await findParameter(context, Name), WithDecryption),
  }),
})
