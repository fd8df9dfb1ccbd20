import type { CommandContext, Connection } from '../context.ts'
import { CliError, EXIT, usageError } from '../errors.ts'
import { inert, inertJson } from '../inert.ts'
import { listAll } from '../pages.ts'
import type { SettingsOptions } from '../settings.ts'
import { formatTable } from '../table.ts'
import { fetchCa } from '../trust/ca.ts'

export type CreateActivationOptions = SettingsOptions & {
  name?: string
  description?: string
  iamRole: string
  tag?: readonly string[]
  limit: string
  expiresIn: string
  json?: boolean
}
export type ActivationsOptions = SettingsOptions & { json?: boolean }

type ActivationRow = {
  ActivationId: string
  DefaultInstanceName?: string
  IamRole?: string
  RegistrationLimit?: number
  RegistrationsCount?: number
  /** Seconds since 1970. */
  ExpirationDate?: number
  Expired?: boolean
}

const MAX_ACTIVATIONS = 1000
const PAGE = 50
const HEAD = ['ACTIVATION', 'NAME', 'ROLE', 'USED', 'EXPIRES']
/** UUIDs are all that the API takes; what it says of anything else is not for people. */
const ACTIVATION_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const LIFETIME = /^(\d{1,4})([mhd])$/
const SECONDS = { m: 60, h: 3600, d: 86_400 } as const

/**
 * `sallyport activations create`: prints the command that makes a machine a node. It carries the hash of the
 * server's CA, which the agent pins, so nothing has to be copied to the machine beforehand.
 */
export const createActivation = async (
  options: CreateActivationOptions,
  context: CommandContext,
): Promise<number> => {
  const limit = Number(options.limit)
  if (!Number.isInteger(limit) || limit < 1)
    throw usageError(`--limit is "${options.limit}": expected a number from 1 to 1000`)
  const expires = context.now() / 1000 + lifetime(options.expiresIn)
  const tags = (options.tag ?? []).map(readTag)
  const connection = await context.connect(options)
  const answer = (await connection.client.call('ssm', 'CreateActivation', {
    IamRole: options.iamRole,
    RegistrationLimit: limit,
    ExpirationDate: expires,
    ...(options.name ? { DefaultInstanceName: options.name } : {}),
    ...(options.description ? { Description: options.description } : {}),
    ...(tags.length > 0 ? { Tags: tags } : {}),
  })) as { ActivationId?: string; ActivationCode?: string }
  const { ActivationId, ActivationCode } = answer
  if (!ActivationId || !ActivationCode)
    throw new CliError('The server made an activation without saying its id and code.')
  const caHash = await serverCaHash(connection, context)
  if (options.json) {
    const { origin } = connection.endpoint
    context.out(
      `${inertJson({ ActivationId, ActivationCode, Endpoint: origin, Region: connection.region, CaHash: caHash })}\n`,
    )
    return EXIT.ok
  }
  const times = limit === 1 ? 'once' : `${limit} times`
  context.err(
    `Good ${times}, until ${new Date(expires * 1000).toISOString()}. On the machine, as root (or as any user):\n\n`,
  )
  context.out(
    `${[
      'sallyport agent register',
      `--endpoint ${connection.endpoint.origin}`,
      `--region ${connection.region}`,
      `--activation-id ${inert(ActivationId)}`,
      `--activation-code ${inert(ActivationCode)}`,
      ...(caHash === undefined ? [] : [`--ca-hash ${caHash}`]),
    ].join(' \\\n  ')}\n`,
  )
  return EXIT.ok
}

/** `sallyport activations`: those that there are; their codes are shown only when they are made. */
export const activations = async (options: ActivationsOptions, context: CommandContext): Promise<number> => {
  const { client } = await context.connect(options)
  const { items } = await listAll<ActivationRow>(
    client,
    'DescribeActivations',
    { MaxResults: PAGE },
    'ActivationList',
    MAX_ACTIVATIONS,
  )
  if (options.json) context.out(`${inertJson(items)}\n`)
  else if (items.length === 0) context.err('There are no activations.\n')
  else context.out(await formatTable(HEAD, items.map(row)))
  return EXIT.ok
}

const row = (activation: ActivationRow) => [
  activation.ActivationId,
  activation.DefaultInstanceName,
  activation.IamRole,
  `${activation.RegistrationsCount}/${activation.RegistrationLimit}`,
  activation.Expired ? 'expired' : new Date((activation.ExpirationDate ?? 0) * 1000).toISOString(),
]

/** `sallyport activations delete`: nodes that registered with it stay. */
export const deleteActivation = async (
  id: string,
  options: SettingsOptions,
  context: CommandContext,
): Promise<number> => {
  if (!ACTIVATION_ID.test(id)) {
    throw new CliError(`There is no activation "${inert(id)}". All of them: sallyport activations`)
  }
  const { client } = await context.connect(options)
  await client.call('ssm', 'DeleteActivation', { ActivationId: id })
  context.err(`Deleted ${inert(id)}\n`)
  return EXIT.ok
}

const readTag = (text: string): { Key: string; Value: string } => {
  const equals = text.indexOf('=')
  if (equals < 1) throw usageError(`--tag is "${text}": expected KEY=VALUE, such as env=dev`)
  return { Key: text.slice(0, equals), Value: text.slice(equals + 1) }
}

const lifetime = (text: string): number => {
  const [, count, unit] = LIFETIME.exec(text) ?? []
  if (count === undefined)
    throw usageError(`--expires-in is "${text}": expected a time such as 30m, 24h or 7d`)
  return Number(count) * SECONDS[unit as keyof typeof SECONDS]
}

/**
 * Fetched over a connection that is verified already, and so as good as the file on the server. Undefined where the
 * server has a certificate of another CA, which agents then trust or not by themselves.
 */
const serverCaHash = async ({ endpoint, ca }: Connection, { env }: CommandContext) =>
  (await fetchCa(endpoint, { ca, env }))?.hash
