import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { GetParameterHistoryOutput } from '@sallyport/protocol/api/ssm-parameters'
import { operation } from '../../operation.ts'
import { readReference } from './parameter-names.ts'
import { parameterNotFound, referenceCheck, toHistory } from './parameters.ts'

const DEFAULT_PAGE = 50

/** Every version there is, the oldest first. */
export const getParameterHistory = operation({
  input: ssmOperations.GetParameterHistory.input,
  callers: ['person'],
  access: async ({ Name }, context) => ({ all: [await referenceCheck(context, Name)] }),
  run: async (context, input): Promise<GetParameterHistoryOutput> => {
    const { store, scope } = context
    const reference = await readReference(context, input.Name)
    // A selector would be of one version.
    if (reference === undefined || reference.suffix !== '') throw parameterNotFound(input.Name)
    const { name } = reference
    const page = await store.parameters.history(scope, name, {
      limit: input.MaxResults ?? DEFAULT_PAGE,
      token: input.NextToken,
    })
    if (page.items.length === 0 && input.NextToken === undefined) throw parameterNotFound(name)
    const labels = await store.parameters.labelsOf(scope, name)
    return {
      Parameters: page.items.map(row =>
        toHistory(context, row, labels.get(row.version) ?? [], input.WithDecryption),
      ),
      NextToken: page.nextToken,
    }
  },
})
