import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type {
  DescribeParametersInput,
  DescribeParametersOutput,
} from '@sallyport/protocol/api/ssm-parameters'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { ParameterFilters } from '@sallyport/server/store/parameter-filters'
import { operation } from '../../operation.ts'
import { DESCRIBE_KEYS, readParameterFilters } from './parameter-filters.ts'
import { toMetadata } from './parameters.ts'

const DEFAULT_PAGE = 50

/** Everything but the values. */
export const describeParameters = operation({
  input: ssmOperations.DescribeParameters.input,
  callers: ['person'],
  run: async (context, input): Promise<DescribeParametersOutput> => {
    const filters = filtersOf(input)
    // Nobody shares any with this account.
    if (input.Shared) return { Parameters: [] }
    const { items, nextToken } = await context.store.parameters.list(context.scope, filters, {
      limit: input.MaxResults ?? DEFAULT_PAGE,
      token: input.NextToken,
    })
    return { Parameters: items.map(row => toMetadata(context, row)), NextToken: nextToken }
  },
})

function filtersOf({ Filters = [], ParameterFilters = [] }: DescribeParametersInput): ParameterFilters {
  if (Filters.length > 0 && ParameterFilters.length > 0) {
    throw new AwsError(
      'ValidationException',
      'You can use either Filters or ParameterFilters in a single request.',
    )
  }
  // The older kind compares the beginnings of names, and all of the rest.
  const older = Filters.map(({ Key, Values }) => ({
    Key,
    Values,
    Option: Key === 'Name' ? 'BeginsWith' : 'Equals',
  }))
  return readParameterFilters([...ParameterFilters, ...older], DESCRIBE_KEYS)
}
