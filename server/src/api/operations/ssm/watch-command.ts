import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { WatchCommandOutput, WatchedInvocation } from '@sallyport/protocol/api/ssm-commands'
import type { BusMessage } from '@sallyport/server/bus/bus'
import type { InvocationRow } from '@sallyport/server/store/schema'
import type { CommandLook } from '../../command-looks.ts'
import { gatherMsFor } from '../../command-watches.ts'
import { type OperationContext, operation } from '../../operation.ts'
import { grouped, responseCode } from './command-steps.ts'
import { describeCommand, noCommand, readCommandId } from './commands.ts'

const DEFAULT_PAGE = 1000

/** Ours: what became of a command since an earlier answer, as soon as there is any of it. */
export const watchCommand = operation({
  input: ssmOperations.WatchCommand.input,
  callers: ['person'],
  access: () => ({ all: [{ action: 'ssm:ListCommandInvocations', resource: '*' }] }),
  run: async (context, input) => {
    const { store, scope, commandWatches, gone } = context
    const { AfterRevision: after, WaitSeconds = 0, MaxResults = DEFAULT_PAGE } = input
    const commandId = readCommandId(input.CommandId)
    const first = await store.commands.summary(scope, commandId)
    if (first === undefined) throw noCommand(commandId)
    const gatherMs = after === undefined ? 0 : gatherMsFor(first)
    return await commandWatches.until({
      commandId,
      ms: WaitSeconds * 1000,
      gone,
      gatherMs,
      concerns: isChange,
      look: async () => {
        const look = await commandWatches.looks.look({
          commandId,
          after: after ?? 0,
          maxAgeMs: gatherMs,
          summary: async () => (await store.commands.summary(scope, commandId)) ?? first,
          counts: () => store.invocations.counts(scope, commandId),
        })
        const changes = await changesOf(context, look, after ?? 0, MaxResults)
        const { command } = look
        // Nothing comes after the end.
        const done = after === undefined || command.revision > after || command.endedAt !== null
        return { answer: changes, done }
      },
    })
  },
})

/** The command as it was at its revision, with the invocations that have not changed since. */
async function changesOf(
  { store, scope }: OperationContext,
  { command, counts }: CommandLook,
  after: number,
  limit: number,
): Promise<WatchCommandOutput> {
  const { commandId, revision } = command
  const rows = await store.invocations.changedSince(scope, commandId, after, limit)
  const told = rows.filter(row => row.revision <= revision)
  const last = told.at(-1)?.revision ?? after
  const more = rows.length === limit && last < revision
  const ended = told.filter(row => row.endedAt !== null).map(row => row.nodeId)
  const results = grouped(await store.stepResults.codes(scope, commandId, ended), row => row.nodeId)
  return {
    Command: describeCommand(command),
    Counts: counts.map(({ status, details, count }) => ({
      Status: status,
      StatusDetails: details,
      Count: count,
    })),
    Invocations: told.map(row => describeChange(row, responseCode(results.get(row.nodeId) ?? []))),
    Revision: more ? last : Math.max(after, revision),
    More: more,
  }
}

function describeChange(row: InvocationRow, code: number): WatchedInvocation {
  return {
    InstanceId: row.nodeId,
    InstanceName: row.nodeName,
    Status: row.status,
    StatusDetails: row.details,
    ResponseCode: row.endedAt === null ? -1 : code,
    Revision: row.revision,
  }
}

function isChange(event: BusMessage): boolean {
  return typeof event === 'object' && event !== null && 'type' in event && event.type === 'changed'
}
