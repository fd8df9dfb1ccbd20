import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { GetParametersByPathOutput } from '@sallyport/protocol/api/ssm-parameters'
import { parameterArn } from '@sallyport/server/iam/arns'
import { operation } from '../../operation.ts'
import { PATH_KEYS, readParameterFilters } from './parameter-filters.ts'
import { readPath } from './parameter-names.ts'
import { toParameter } from './parameters.ts'

const DEFAULT_PAGE = 10

/** control-plane.md 24 and 34.1: who may read a path may read all that is below it. */
export const getParametersByPath = operation({
  input: ssmOperations.GetParametersByPath.input,
  callers: ['person', 'node'],
  access: async ({ Path, Recursive = false }, context, principal) => {
    const conditions = { 'ssm:Recursive': String(Recursive) }
    const at = { resource: parameterArn(context, Path.replace(/\/$/, '')), conditions }
    // What policies call `parameter/path/*`.
    const below = { ...at, resource: `${at.resource.replace(/\/$/, '')}/` }
    const outcome = await context.access.decide(
      principal,
      { all: [below] },
      'ssm:GetParametersByPath',
      context.facts,
    )
    const denied = !outcome.allowed && outcome.decision.reason === 'explicit-deny'
    return denied ? { all: [below] } : { all: [at], otherwise: [below] }
  },
  run: async (context, input): Promise<GetParametersByPathOutput> => {
    const { Path, Recursive: recursive = false, ParameterFilters = [], WithDecryption } = input
    const filters = readParameterFilters(ParameterFilters, PATH_KEYS)
    const page = await context.store.parameters.list(
      context.scope,
      { ...filters, path: { paths: [readPath(Path)], recursive } },
      { limit: input.MaxResults ?? DEFAULT_PAGE, token: input.NextToken },
    )
    return {
      Parameters: page.items.map(row => toParameter(context, { row, suffix: '' }, WithDecryption)),
      NextToken: page.nextToken,
    }
  },
})
