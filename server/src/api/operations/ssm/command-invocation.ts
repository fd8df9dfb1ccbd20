import type { Command } from '@sallyport/server/store/commands'
import type { Invocation } from '@sallyport/server/store/invocations'
import type { OperationContext } from '../../operation.ts'
import { noInvocation, readCommandId } from './commands.ts'

/** A command on one node, with the whole of the command. Throws `InvalidCommandId` and `InvocationDoesNotExist`. */
export async function findInvocation(
  { store, scope }: OperationContext,
  input: { CommandId: string; InstanceId: string },
): Promise<{ command: Command; invocation: Invocation }> {
  const commandId = readCommandId(input.CommandId)
  const [command, invocation] = await Promise.all([
    store.commands.get(scope, commandId),
    store.invocations.get(scope, commandId, input.InstanceId),
  ])
  if (command === undefined || invocation === undefined) throw noInvocation(commandId, input.InstanceId)
  return { command, invocation }
}
