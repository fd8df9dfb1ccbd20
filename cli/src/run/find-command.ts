import type { Command } from '@sallyport/protocol/api/ssm-commands'
import type { ApiClient } from '../client.ts'
import { CliError } from '../errors.ts'
import { inert } from '../inert.ts'
import { listAll } from '../pages.ts'

const WHOLE_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const BEGINNING = /^[0-9a-f-]{4,36}$/
/** Among so many of the newest the beginning of an id is looked for. */
const MAX_LOOKED_AT = 1000
export const COMMANDS_PAGE = 50

/** The id that a person means: a whole one goes to the server as it is, else it is the beginning of a single one. */
export const findCommand = async (client: ApiClient, given: string): Promise<string> => {
  const beginning = given.toLowerCase().replace('…', '')
  if (WHOLE_ID.test(beginning)) return beginning
  const none = `There is no command "${inert(given)}". The newest: sallyport commands`
  if (!BEGINNING.test(beginning)) throw new CliError(none)
  const { items } = await listAll<Command>(
    client,
    'ListCommands',
    { MaxResults: COMMANDS_PAGE },
    'Commands',
    MAX_LOOKED_AT,
  )
  const [only, ...others] = items.filter(({ CommandId }) => CommandId.startsWith(beginning))
  if (only === undefined) throw new CliError(none)
  if (others.length > 0) {
    throw new CliError(`${others.length + 1} commands begin with "${inert(given)}". Give more of the id.`)
  }
  return only.CommandId
}

/** What it does, in few words: its comment, the first line of its script, or the parameters of its document. */
export const purposeOf = ({ Comment, Parameters }: Pick<Command, 'Comment' | 'Parameters'>): string => {
  const lines = (Parameters?.commands ?? []).join('\n').trim().split('\n')
  const first = lines.find(line => !line.startsWith('#!')) ?? ''
  if (Comment) return Comment
  if (lines.length > 1) return `${first} …`
  const given = Object.entries(Parameters ?? {}).map(
    ([name, values]) => `${name}=${[values].flat().join(',')}`,
  )
  return first || given.join(' ')
}
