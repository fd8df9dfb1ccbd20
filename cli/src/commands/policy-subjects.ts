import { formatArn, parseArn } from '@sallyport/protocol/aws/arn'
import type { ApiClient } from '../client.ts'
import { CliError, usageError } from '../errors.ts'
import { inert } from '../inert.ts'
import { resolveNode } from '../nodes.ts'

// What a person calls whom and what a policy is about, and the ARN of it.

/** Values of condition keys, by key as it is written. */
export type ContextEntries = Map<string, readonly string[]>

/** `arn` is what the server is asked about, `context` what is known of it beside that. */
export type Subject = { arn: string; context: ContextEntries }

type Entity = { Arn?: unknown; RoleId?: unknown }

const DOCUMENT_NAME = /^(AWS|Amazon[A-Za-z0-9]*|SSM|Sallyport)-/

/** A user's name, `user/…`, `group/…`, `role/…`, or the ARN of one of them or of a session of a role. */
export const resolvePrincipal = async (client: ApiClient, given: string): Promise<Subject> => {
  if (given.startsWith('arn:')) {
    const { service, resource } = readArn(given)
    const [, role, session] = /^assumed-role\/([^/]+)\/(.+)$/.exec(resource) ?? []
    if (service !== 'sts' || role === undefined) return { arn: given, context: new Map() }
    const { Arn, RoleId } = await getEntity(client, 'Role', role)
    return { arn: String(Arn), context: new Map([['aws:userid', [`${RoleId}:${session}`]]]) }
  }
  const [, kind = 'user', name = given] = /^(user|group|role)\/(.+)$/.exec(given) ?? []
  if (name.trim() === '') throw usageError('The name of the principal is empty.')
  const type = kind === 'role' ? 'Role' : kind === 'group' ? 'Group' : 'User'
  const { Arn } = await getEntity(client, type, name)
  return { arn: String(Arn), context: new Map() }
}

const getEntity = async (
  client: ApiClient,
  type: 'User' | 'Group' | 'Role',
  name: string,
): Promise<Entity> => {
  const answer = (await client.call('iam', `Get${type}`, { [`${type}Name`]: name })) as Record<string, Entity>
  const entity = answer[type]
  if (typeof entity?.Arn === 'string') return entity
  throw new CliError(`The server did not say what the ARN of ${type.toLowerCase()} ${inert(name)} is.`)
}

/** `*`, an ARN, a document's name, `session/` and its id, or a node's name or id. With its tags, as conditions know them. */
export const resolveResource = async (
  client: ApiClient,
  given: string,
  principalArn: string,
  region: string,
): Promise<Subject> => {
  if (given === '*') return { arn: given, context: new Map() }
  if (given.startsWith('arn:')) return await knownByArn(client, given)
  const { partition, accountId } = readArn(principalArn)
  const document = given.replace(/^document\//, '')
  if (document !== given || DOCUMENT_NAME.test(given)) {
    const owner = document.startsWith('AWS-') ? '' : accountId
    const resource = `document/${document}`
    const arn = formatArn({ partition, service: 'ssm', region, accountId: owner, resource })
    return { arn, context: await documentContext(client, document) }
  }
  if (given.startsWith('session/')) {
    return {
      arn: formatArn({ partition, service: 'ssm', region, accountId, resource: given }),
      context: new Map(),
    }
  }
  const nodeId = await resolveNode(client, given)
  const [service, type] = nodeId.startsWith('i-') ? ['ec2', 'instance'] : ['ssm', 'managed-instance']
  const arn = formatArn({ partition, service, region, accountId, resource: `${type}/${nodeId}` })
  return { arn, context: await nodeContext(client, nodeId) }
}

const knownByArn = async (client: ApiClient, arn: string): Promise<Subject> => {
  const { resource } = readArn(arn)
  const [, type, name = ''] = /^(managed-instance|instance|document)\/([^*?]+)$/.exec(resource) ?? []
  if (type === undefined) return { arn, context: new Map() }
  const context = await (type === 'document' ? documentContext(client, name) : nodeContext(client, name))
  return { arn, context }
}

const nodeContext = (client: ApiClient, nodeId: string) => tagsOf(client, 'ManagedInstance', nodeId)

const documentContext = async (client: ApiClient, name: string): Promise<ContextEntries> => {
  const answer = (await unlessRefused(client.call('ssm', 'DescribeDocument', { Name: name }))) as {
    Document?: { DocumentType?: unknown }
  }
  const type = answer.Document?.DocumentType
  const own: ContextEntries = new Map(typeof type === 'string' ? [['ssm:DocumentType', [type]]] : [])
  // Amazon's have no tags.
  return name.startsWith('AWS-') ? own : new Map([...own, ...(await tagsOf(client, 'Document', name))])
}

const tagsOf = async (client: ApiClient, type: string, id: string): Promise<ContextEntries> => {
  const input = { ResourceType: type, ResourceId: id }
  const { TagList } = (await unlessRefused(client.call('ssm', 'ListTagsForResource', input))) as {
    TagList?: Array<{ Key: string; Value: string }>
  }
  const context: ContextEntries = new Map()
  for (const { Key, Value } of TagList ?? []) {
    context.set(`ssm:resourceTag/${Key}`, [Value])
    context.set(`aws:ResourceTag/${Key}`, [Value])
  }
  return context
}

/** What is not there (yet) can be asked about all the same, without what would be known of it. */
const unlessRefused = async (call: Promise<unknown>): Promise<object> => {
  try {
    return Object(await call)
  } catch (error) {
    const { code } = Object(error) as { code?: unknown }
    if (code === 'InvalidResourceId' || code === 'InvalidDocument') return {}
    throw error
  }
}

const readArn = (text: string) => {
  try {
    return parseArn(text)
  } catch (error) {
    throw usageError((error as Error).message)
  }
}
