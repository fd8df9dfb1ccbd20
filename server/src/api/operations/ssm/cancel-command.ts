import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { operation } from '../../operation.ts'
import { checkDuplicates } from './command-targets.ts'
import { noCommand, readCommandId } from './commands.ts'

/** control-plane.md 21; on all nodes of the command unless it is said on which. */
export const cancelCommand = operation({
  input: ssmOperations.CancelCommand.input,
  callers: ['person'],
  run: async ({ store, scope, commands }, { CommandId, InstanceIds = [] }) => {
    const commandId = readCommandId(CommandId)
    checkDuplicates(InstanceIds)
    if ((await store.commands.summary(scope, commandId)) === undefined) throw noCommand(commandId)
    const found = await Promise.all(InstanceIds.map(id => store.invocations.get(scope, commandId, id)))
    const foreign = InstanceIds.filter((_, place) => found[place] === undefined)
    if (foreign.length > 0) {
      throw new AwsError('InvalidInstanceId', `Command ${commandId} was not sent to ${foreign.join(', ')}.`)
    }
    await commands.cancel(commandId, InstanceIds.length === 0 ? undefined : InstanceIds)
    return {}
  },
})
