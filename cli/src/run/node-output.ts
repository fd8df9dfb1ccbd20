import type {
  GetCommandOutputOutput,
  ListCommandInvocationsOutput,
} from '@sallyport/protocol/api/ssm-commands'
import type { ApiClient } from '../client.ts'
import { CliError } from '../errors.ts'
import type { StreamName } from './screen.ts'
import { type Persistence, persist, WAIT_SECONDS } from './watch.ts'

export type OutputOf = {
  commandId: string
  nodeId: string
  /** Needed where the document has several. */
  step?: string | undefined
}

/** The output of one stream from its beginning, in pieces; with `follow` until the node has ended. */
export async function* readOutput(
  client: ApiClient,
  { commandId, nodeId, step }: OutputOf,
  stream: StreamName,
  persistence: Persistence,
  follow = false,
): AsyncGenerator<Uint8Array> {
  let offset = 0
  while (true) {
    const input = {
      CommandId: commandId,
      InstanceId: nodeId,
      ...(step === undefined ? {} : { PluginName: step }),
      Stream: stream,
      Offset: offset,
      ...(follow ? { WaitSeconds: WAIT_SECONDS } : {}),
    }
    const answer = (await persist(
      () => client.call('ssm', 'GetCommandOutput', input),
      persistence,
    )) as GetCommandOutputOutput
    const piece = Buffer.from(answer.Content, 'base64')
    if (piece.length > 0) yield piece
    if (answer.Ended || (!follow && answer.NextOffset <= offset)) return
    offset = answer.NextOffset
  }
}

export const notSentTo = (commandId: string, node: string): string =>
  `Command ${commandId} was not sent to ${node}. Its nodes: sallyport command show ${commandId}`

/** The steps of the document, as they are called on the node, in their order. */
export const stepsOn = async (client: ApiClient, commandId: string, nodeId: string): Promise<string[]> => {
  const input = { CommandId: commandId, InstanceId: nodeId, Details: true }
  const answer = await client.call('ssm', 'ListCommandInvocations', input)
  const [invocation] = (answer as ListCommandInvocationsOutput).CommandInvocations
  if (invocation === undefined) throw new CliError(notSentTo(commandId, nodeId))
  return invocation.CommandPlugins.map(({ Name }) => Name)
}
