import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { operation } from '../../operation.ts'
import { commandFilters, readPage } from './command-filters.ts'
import { describeCommand } from './commands.ts'

/** control-plane.md 21; newest first. */
export const listCommands = operation({
  input: ssmOperations.ListCommands.input,
  callers: ['person'],
  run: async (context, input) => {
    const filters = await commandFilters(context, input)
    if (filters === undefined) return { Commands: [] }
    const { items, nextToken } = await context.store.commands.list(context.scope, readPage(input), filters)
    return { Commands: items.map(describeCommand), NextToken: nextToken }
  },
})
