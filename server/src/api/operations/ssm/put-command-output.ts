import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { MAXIMUM_OUTPUT_PIECE } from '@sallyport/protocol/api/ssm-commands'
import { AwsError } from '@sallyport/protocol/aws/error'
import { commandSubject } from '@sallyport/server/bus/bus'
import { OutputGap } from '@sallyport/server/commands/output'
import { operation } from '../../operation.ts'
import { findInvocation } from './command-invocation.ts'
import { chosenStep, stepsOf } from './command-steps.ts'

/** Ours: how agents of ours hand in the output of steps while they run. What is handed in again is not kept twice. */
export const putCommandOutput = operation({
  input: ssmOperations.PutCommandOutput.input,
  callers: ['node'],
  ownNode: input => input.InstanceId,
  access: () => ({ all: [{ action: 'ssmmessages:OpenControlChannel', resource: '*' }] }),
  run: async (context, input) => {
    const { scope, bus, commandOutput } = context
    const { command, invocation } = await findInvocation(context, input)
    const { commandId, nodeId } = invocation
    if (invocation.endedAt !== null) {
      throw new AwsError(
        'InvocationDoesNotExist',
        `Command ${commandId} has ended on ${nodeId}; output that comes now is not kept.`,
      )
    }
    const step = chosenStep(stepsOf(command.documentContent), input.PluginName)
    const bytes = readContent(input.Content)
    const key = { commandId, nodeId, step, stream: input.Stream }
    const { size, added, full } = await commandOutput.append(key, input.Offset, bytes).catch(refuseGap)
    if (added > 0) await bus.publish(commandSubject(scope, commandId), { type: 'output', nodeId })
    return { NextOffset: size, Full: full }
  },
})

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
