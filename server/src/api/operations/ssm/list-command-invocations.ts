import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { Invocation } from '@sallyport/server/store/invocations'
import { type OperationContext, operation } from '../../operation.ts'
import { invocationFilters, readPage } from './command-filters.ts'
import { grouped, type StepView, stepsOf, viewSteps } from './command-steps.ts'
import { describeInvocation } from './commands.ts'

/** control-plane.md 21; those of the newest command first. */
export const listCommandInvocations = operation({
  input: ssmOperations.ListCommandInvocations.input,
  callers: ['person'],
  run: async (context, input) => {
    const { store, scope } = context
    const filters = await invocationFilters(context, input)
    if (filters === undefined) return { CommandInvocations: [] }
    const { items, nextToken } = await store.invocations.list(scope, readPage(input), filters)
    const steps = input.Details ? await stepsOfAll(context, items) : new Map<Invocation, StepView[]>()
    return {
      CommandInvocations: items.map(item => describeInvocation(item, steps.get(item) ?? [])),
      NextToken: nextToken,
    }
  },
})

async function stepsOfAll(
  { store, scope }: OperationContext,
  invocations: readonly Invocation[],
): Promise<Map<Invocation, StepView[]>> {
  const views = new Map<Invocation, StepView[]>()
  for (const [commandId, some] of grouped(invocations, ({ commandId }) => commandId)) {
    const nodeIds = some.map(({ nodeId }) => nodeId)
    const [command, results] = await Promise.all([
      store.commands.get(scope, commandId),
      store.stepResults.of(scope, commandId, nodeIds),
    ])
    if (command === undefined) continue
    const names = stepsOf(command.documentContent)
    const byNode = grouped(results, ({ nodeId }) => nodeId)
    for (const each of some) views.set(each, viewSteps(names, each, byNode.get(each.nodeId) ?? []))
  }
  return views
}
