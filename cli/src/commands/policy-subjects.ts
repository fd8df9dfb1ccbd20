import { formatArn, parseArn } from '@sallyport/protocol/aws/arn'
import type { ApiClient } from '../client.ts'
import { CliError, usageError } from '../errors.ts'
import { inert } from '../inert.ts'
import { resolveNode } from '../nodes.ts'

// What a person calls whom and what a policy is about, and the ARN of it.

/** Values of condition keys, by key as it is written. */
export type ContextEntries = Map<string, readonly string[]>

/** `arn` is what the server is asked about, `context` what is known of it beside that; `missing`: nothing is there. */
export type Subject = { arn: string; context: ContextEntries; missing?: boolean }

type Entity = { Arn?: unknown; RoleId?: unknown; UserId?: unknown }
type Known = Pick<Subject, 'context' | 'missing'>

const NODE_ID = /^(mi|i)-[0-9a-f]{8,17}$/
const IAM_RESOURCE = /^(user|group|role|policy|instance-profile)\/(.+)$/
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
  if (NODE_ID.test(name)) {
    throw usageError(`${name} is a node, and may do what its role may. Ask about that: role/NAME`)
  }
  const { Arn } = await getEntity(client, typeOf(kind), name)
  return { arn: String(Arn), context: new Map() }
}

const typeOf = (kind: string) => (kind === 'role' ? 'Role' : kind === 'group' ? 'Group' : 'User')

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
  if (IAM_RESOURCE.test(given)) return await iamSubject(client, given, { partition, accountId })
  const document = given.replace(/^document\//, '')
  if (document !== given || DOCUMENT_NAME.test(given)) {
    const owner = document.startsWith('AWS-') ? '' : accountId
    const resource = `document/${document}`
    const arn = formatArn({ partition, service: 'ssm', region, accountId: owner, resource })
    return { arn, ...(await ofDocument(client, document)) }
  }
  if (given.startsWith('session/')) {
    const arn = formatArn({ partition, service: 'ssm', region, accountId, resource: given })
    return { arn, ...(await ofSession(client, given.slice('session/'.length))) }
  }
  const nodeId = await nodeNamed(client, given)
  const [service, type] = nodeId.startsWith('i-') ? ['ec2', 'instance'] : ['ssm', 'managed-instance']
  const arn = formatArn({ partition, service, region, accountId, resource: `${type}/${nodeId}` })
  return { arn, ...(await ofNode(client, nodeId)) }
}

const nodeNamed = async (client: ApiClient, given: string): Promise<string> => {
  try {
    return await resolveNode(client, given)
  } catch (error) {
    if (!(error instanceof CliError) || !error.message.startsWith('There is no node')) throw error
    throw new CliError(`${error.message}\nIs it a document? document/${inert(given)}`, error.exitCode)
  }
}

/** Users, groups and roles by what they are called, with the path that they have; others where nothing is in the way. */
const iamSubject = async (
  client: ApiClient,
  given: string,
  realm: { partition: string; accountId: string },
): Promise<Subject> => {
  const arn = formatArn({ ...realm, service: 'iam', region: '', resource: given })
  const [, kind = '', name = ''] = IAM_RESOURCE.exec(given) ?? []
  if (kind === 'policy' || kind === 'instance-profile') return { arn, context: new Map() }
  const found = await unlessRefused(getEntity(client, typeOf(kind), name))
  if (found === undefined) return { arn, context: new Map(), missing: true }
  return { arn: String((found as Entity).Arn), context: new Map() }
}

const knownByArn = async (client: ApiClient, arn: string): Promise<Subject> => {
  const { resource } = readArn(arn)
  const [, type, name = ''] = /^(managed-instance|instance|document|session)\/([^*?]+)$/.exec(resource) ?? []
  if (type === undefined) return { arn, context: new Map() }
  const ask = type === 'document' ? ofDocument : type === 'session' ? ofSession : ofNode
  return { arn, ...(await ask(client, name)) }
}

const ofNode = (client: ApiClient, nodeId: string) => tagsOf(client, 'ManagedInstance', nodeId)

const ofDocument = async (client: ApiClient, name: string): Promise<Known> => {
  const answer = (await unlessRefused(client.call('ssm', 'DescribeDocument', { Name: name }))) as
    | { Document?: { DocumentType?: unknown } }
    | undefined
  // The preferences are the built-in ones until somebody makes their own.
  if (answer === undefined) return { context: new Map(), missing: name !== PREFERENCES }
  const type = answer.Document?.DocumentType
  const own: ContextEntries = new Map(typeof type === 'string' ? [['ssm:DocumentType', [type]]] : [])
  // Amazon's have no tags.
  if (name.startsWith('AWS-')) return { context: own }
  const { context } = await tagsOf(client, 'Document', name)
  return { context: new Map([...own, ...context]) }
}

const PREFERENCES = 'SSM-SessionManagerRunShell'

/** A session has two tags by itself: whose it is, and its node (control-plane.md 34.3). */
const ofSession = async (client: ApiClient, sessionId: string): Promise<Known> => {
  for (const State of ['Active', 'History']) {
    const input = { State, Filters: [{ key: 'SessionId', value: sessionId }] }
    const { Sessions = [] } = (await client.call('ssm', 'DescribeSessions', input)) as {
      Sessions?: Array<{ Owner?: string; Target?: string }>
    }
    const [session] = Sessions
    if (session === undefined) continue
    const owner = await userIdOf(client, session.Owner ?? '')
    const context: ContextEntries = new Map()
    if (owner !== undefined) addTag(context, 'aws:ssmmessages:session-id', owner)
    if (session.Target !== undefined) addTag(context, 'aws:ssmmessages:target-id', session.Target)
    return { context }
  }
  return { context: new Map(), missing: true }
}

/** `aws:userid` of the person with this ARN; undefined if the user or role is gone. */
const userIdOf = async (client: ApiClient, ownerArn: string): Promise<string | undefined> => {
  const { resource } = readArn(ownerArn)
  const [, role, name] = /^assumed-role\/([^/]+)\/(.+)$/.exec(resource) ?? []
  const entity = (await unlessRefused(
    role === undefined
      ? getEntity(client, 'User', resource.slice(resource.lastIndexOf('/') + 1))
      : getEntity(client, 'Role', role),
  )) as Entity | undefined
  if (entity === undefined) return undefined
  return role === undefined ? String(entity.UserId) : `${entity.RoleId}:${name}`
}

const tagsOf = async (client: ApiClient, type: string, id: string): Promise<Known> => {
  const input = { ResourceType: type, ResourceId: id }
  const answer = (await unlessRefused(client.call('ssm', 'ListTagsForResource', input))) as
    | { TagList?: Array<{ Key: string; Value: string }> }
    | undefined
  const context: ContextEntries = new Map()
  for (const { Key, Value } of answer?.TagList ?? []) addTag(context, Key, Value)
  return { context, missing: answer === undefined }
}

const addTag = (context: ContextEntries, key: string, value: string): void => {
  context.set(`ssm:resourceTag/${key}`, [value])
  context.set(`aws:ResourceTag/${key}`, [value])
}

const NOT_THERE = ['InvalidResourceId', 'InvalidDocument', 'NoSuchEntity']

/** What is not there (yet) can be asked about all the same: undefined, without what would be known of it. */
const unlessRefused = async (call: Promise<unknown>): Promise<object | undefined> => {
  try {
    return Object(await call)
  } catch (error) {
    const { code } = Object(error) as { code?: unknown }
    if (NOT_THERE.includes(String(code))) return undefined
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
