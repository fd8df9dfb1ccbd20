import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { GetCommandOutputOutput } from '@sallyport/protocol/api/ssm-commands'
import type { BusMessage } from '@sallyport/server/bus/bus'
import type { OutputKey } from '@sallyport/server/commands/output'
import { gatherMsFor } from '../../command-watches.ts'
import { type OperationContext, operation } from '../../operation.ts'
import { findInvocation } from './command-invocation.ts'
import { chosenStep, stepsOf, viewSteps } from './command-steps.ts'

const DEFAULT_BYTES = 262_144

/** Ours: the whole output of a step on a node, also while it runs. Offsets count bytes. */
export const getCommandOutput = operation({
  input: ssmOperations.GetCommandOutput.input,
  callers: ['person'],
  access: () => ({ all: [{ action: 'ssm:GetCommandInvocation', resource: '*' }] }),
  run: async (context, input) => {
    const { Offset = 0, MaxBytes = DEFAULT_BYTES, WaitSeconds = 0, Stream = 'stdout' } = input
    const { command, invocation } = await findInvocation(context, input)
    const { commandId, nodeId } = invocation
    const names = stepsOf(command.documentContent)
    const step = chosenStep(names, input.PluginName)
    return await context.commandWatches.until({
      commandId,
      ms: WaitSeconds * 1000,
      gone: context.gone,
      // All changes of a command wake whoever waits for the output of one node.
      gatherMs: gatherMsFor(command),
      concerns: event => isOf(nodeId, event),
      look: async () => {
        const answer = await part(
          context,
          names,
          { commandId, nodeId, step, stream: Stream },
          Offset,
          MaxBytes,
        )
        return { answer, done: answer.Ended || answer.Content !== '' }
      },
    })
  },
})

/** First whether it has ended, then what there is: what comes in between is not taken for the last. */
async function part(
  { store, scope, commandOutput }: OperationContext,
  names: readonly string[],
  key: OutputKey,
  offset: number,
  max: number,
): Promise<GetCommandOutputOutput> {
  const { commandId, nodeId, step, stream } = key
  const invocation = await store.invocations.get(scope, commandId, nodeId)
  const results = await store.stepResults.of(scope, commandId, [nodeId])
  const view = invocation && viewSteps(names, invocation, results).find(({ name }) => name === step)
  const ended = view?.ended ?? true
  const said = Buffer.from((stream === 'stdout' ? view?.standardOutput : view?.standardError) ?? '')
  const file = await commandOutput.read(key, offset, max)
  // A node that lost its way to us while it gave the whole has given the beginning in its reply.
  const fromReply = file === undefined || (ended && said.length > file.size)
  const bytes = fromReply ? said.subarray(offset, offset + max) : file.bytes
  const size = fromReply ? said.length : file.size
  return {
    Content: Buffer.from(bytes).toString('base64'),
    NextOffset: offset + bytes.length,
    Ended: ended && offset + bytes.length >= size,
    Status: invocation?.status ?? 'Failed',
  }
}

/** Any change of the command may be the end of this output. */
function isOf(nodeId: string, event: BusMessage): boolean {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return false
  return event.type !== 'output' || event.nodeId === nodeId
}
