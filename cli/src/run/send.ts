import type { Command, SendCommandInput, SendCommandOutput } from '@sallyport/protocol/api/ssm-commands'
import type { ApiClient, ApiError } from '../client.ts'
import { CliError, EXIT } from '../errors.ts'
import { inert } from '../inert.ts'

/** SendCommand. Rejects with the server's refusal, and where no node fits. */
export const sendCommand = async (client: ApiClient, input: SendCommandInput): Promise<Command> => {
  let answer: SendCommandOutput
  try {
    answer = (await client.call('ssm', 'SendCommand', input)) as SendCommandOutput
  } catch (error) {
    throw inDoubt(error)
  }
  const command = answer.Command
  if (typeof command?.CommandId !== 'string')
    throw new CliError('The server sent a command without saying its id.')
  if (command.TargetCount === 0) throw new CliError(nothingFits(input))
  return command
}

const nothingFits = ({ Targets = [] }: SendCommandInput): string => {
  const conditions = Targets.map(({ Key, Values = [] }) => `${inert(Key)}=${inert(Values.join(','))}`)
  return `No node has ${conditions.join(' and ')}. All nodes: sallyport nodes`
}

/** A request that got no answer may have been carried out all the same, and must not be sent twice. */
const inDoubt = (error: unknown): unknown => {
  const { name, status, message, cause } = Object(error) as Partial<ApiError> & { cause?: { sent?: boolean } }
  if (name !== 'ApiError' || status !== 0 || cause?.sent !== true) return error
  return new CliError(
    `${message}\nWhether the command was begun is not known. What there is: sallyport commands`,
    EXIT.connectionLost,
  )
}
