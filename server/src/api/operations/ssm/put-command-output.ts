import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { MAXIMUM_OUTPUT_PIECE } from '@sallyport/protocol/api/ssm-commands'
import { AwsError } from '@sallyport/protocol/aws/error'
import { commandSubject } from '@sallyport/server/bus/bus'
import { OutputGap } from '@sallyport/server/commands/output'
import type { Invocation } from '@sallyport/server/store/invocations'
import { operation } from '../../operation.ts'
import { findInvocation } from './command-invocation.ts'
import { chosenStep, stepsOf } from './command-steps.ts'
import { noInvocation } from './commands.ts'
import { ON_CONTROL_CHANNEL } from './node-actions.ts'

/** After an outage the result of a command may overtake its output, of which there may be 100 MiB (milliseconds). */
export const LATE_OUTPUT_MS = 3_600_000

/** Ours: how agents of ours hand in the output of steps while they run. What is handed in again is not kept twice. */
export const putCommandOutput = operation({
  input: ssmOperations.PutCommandOutput.input,
  callers: ['node'],
  ownNode: input => input.InstanceId,
  access: () => ON_CONTROL_CHANNEL,
  run: async (context, input) => {
    const { scope, bus, commandOutput } = context
    const { command, invocation } = await findInvocation(context, input)
    const { commandId, nodeId } = invocation
    checkTime(invocation, context.now)
    const step = chosenStep(stepsOf(command.documentContent), input.PluginName)
    const bytes = readContent(input.Content)
    const key = { commandId, nodeId, step, stream: input.Stream }
    const { size, added, full } = await commandOutput.append(key, input.Offset, bytes).catch(refuseGap)
    if (added > 0) await bus.publish(commandSubject(scope, commandId), { type: 'output', nodeId })
    return { NextOffset: size, Full: full }
  },
})

/** What was never let go to the node wrote nothing there, whatever it says. */
function checkTime({ commandId, nodeId, releasedAt, endedAt }: Invocation, now: number): void {
  if (releasedAt === null) throw noInvocation(commandId, nodeId)
  if (endedAt === null || now <= endedAt + LATE_OUTPUT_MS) return
  throw new AwsError(
    'InvocationDoesNotExist',
    `Command ${commandId} has ended on ${nodeId} more than an hour ago; output that comes now is not kept.`,
  )
}

function readContent(content: string): Buffer {
  const bytes = Buffer.from(content, 'base64')
  if (bytes.toString('base64') !== content) {
    throw new AwsError('ValidationException', 'Content is not base64.')
  }
  if (bytes.length <= MAXIMUM_OUTPUT_PIECE) return bytes
  throw new AwsError('ValidationException', `Content has more than ${MAXIMUM_OUTPUT_PIECE} bytes.`)
}

function refuseGap(error: unknown): never {
  if (!(error instanceof OutputGap)) throw error
  throw new AwsError(
    'ValidationException',
    `The output has ${error.size} bytes so far; Offset may not lie behind its end.`,
  )
}
