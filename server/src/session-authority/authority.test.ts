import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../api/testing.ts'
import type { Session } from '../store/sessions.ts'
import { testScope as scope } from '../store/testing.ts'
import { SessionAuthority } from './authority.ts'

let api: ApiForTest
let authority: SessionAuthority
let node: string
let people = 0

beforeAll(async () => {
  api = await openApi()
  const { store, access, accessCache: cache, identities, nodeRoles } = api
  const now = () => api.now
  authority = new SessionAuthority({
    store,
    scope,
    partition: 'aws',
    cache,
    access,
    identities,
    nodeRoles,
    now,
  })
})
afterAll(() => api.dispose())
beforeEach(async () => {
  node = await api.onlineNode()
})

const START = JSON.stringify(policyOf({}))
function policyOf(condition: object, resource = '*'): object {
  const statement = { Effect: 'Allow', Action: 'ssm:StartSession', Resource: resource, Condition: condition }
  return { Version: '2012-10-17', Statement: [statement] }
}

type Started = { name: string; credentials: Credentials; session: Session }

async function started(input: object = {}, policies: string[] = [START]): Promise<Started> {
  const name = `user-${++people}`
  const credentials = await api.user(name, { policies })
  const { SessionId } = await api.ok('StartSession', { Target: node, ...input }, credentials)
  const session = await api.store.sessions.get(scope, String(SessionId))
  if (session === undefined) throw new Error('there is no session')
  return { name, credentials, session }
}
const denial = async ({ session }: { session: Session }) => {
  api.accessCache.forget()
  return await authority.denial(session)
}
const create = async (Name: string, content: object) =>
  await api.ok('CreateDocument', { Name, DocumentType: 'Session', Content: contentOf(content) })
const contentOf = (content: object) => JSON.stringify({ schemaVersion: '1.0', ...content })
/** A new version that is the default one. */
async function change(Name: string, content: object): Promise<void> {
  const { DocumentDescription } = await api.ok('UpdateDocument', {
    Name,
    Content: contentOf(content),
    DocumentVersion: '$LATEST',
  })
  const { DocumentVersion } = DocumentDescription as { DocumentVersion: string }
  await api.ok('UpdateDocumentDefaultVersion', { Name, DocumentVersion })
}

describe('a session is allowed', () => {
  test('as long as nothing changes, and is decided by the time of now', async () => {
    const until = new Date(api.now + 60_000).toISOString()
    const hours = JSON.stringify(policyOf({ DateLessThan: { 'aws:CurrentTime': until } }))
    const begun = await started({}, [hours])
    expect(await denial(begun)).toBeUndefined()
    api.now += 61_000
    expect(await denial(begun)).toContain('is not authorized to perform: ssm:StartSession')
  })

  test('by the circumstances in which it was started', async () => {
    const begun = await started({}, [
      JSON.stringify(policyOf({ IpAddress: { 'aws:SourceIp': '192.0.2.1' } })),
    ])
    expect(await denial(begun)).toBeUndefined()
    const moved = {
      ...begun.session,
      authority: { ...(begun.session.authority as object), facts: { sourceIp: '' } },
    }
    expect(await denial({ session: moved as Session })).toContain('is not authorized')
  })

  test('by the document check that it was started with', async () => {
    const check = { BoolIfExists: { 'ssm:SessionDocumentAccessCheck': 'true' } }
    const begun = await started({}, [JSON.stringify(policyOf(check))])
    expect(await denial(begun)).toBeUndefined()
    expect(await denial(await started({ DocumentName: 'AWS-StartSSHSession' }))).toBeUndefined()
  })

  test('no more once its policy is gone, or it is denied to open channels', async () => {
    const begun = await started()
    const owner = { ownerType: 'user', ownerName: begun.name } as const
    const Statement = [{ Effect: 'Deny', Action: 'ssmmessages:OpenDataChannel', Resource: '*' }]
    const document = JSON.stringify({ Version: '2012-10-17', Statement })
    await api.store.ownerPolicies.putInline(scope, { ...owner, policyName: 'deny', document })
    expect(await denial(begun)).toContain('ssmmessages:OpenDataChannel')
    await api.store.ownerPolicies.removeInline(scope, owner, 'deny')
    expect(await denial(begun)).toBeUndefined()
    await api.store.ownerPolicies.removeInline(scope, owner, 'policy-0')
    expect(await denial(begun)).toContain('because no identity-based policy allows')
  })
})

describe('a session ends', () => {
  test('with the key that it was started with', async () => {
    const begun = await started()
    const { accessKeyId } = begun.credentials
    await api.store.accessKeys.setStatus(scope, begun.name, accessKeyId, 'Inactive')
    expect(await denial(begun)).toBe(`access key ${accessKeyId} was deactivated`)
  })

  test('with its node, or with the role of it', async () => {
    const begun = await started()
    await api.store.nodes.updateRole(scope, node, 'no-such-role')
    expect(await denial(begun)).toContain(`${node} may not be online: its role no-such-role does not exist`)
    await api.store.nodes.updateRole(scope, node, 'SSMServiceRole')
    expect(await denial(begun)).toBeUndefined()
    await api.store.nodes.deregister(scope, node, api.now)
    expect(await denial(begun)).toBe(`${node} was deregistered`)
  })

  test('with its document, or once that would not start it any more', async () => {
    const parameters = { who: { type: 'String', allowedPattern: '^[a-z]+$' } }
    await create('changing', { sessionType: 'Standard_Stream', parameters })
    const begun = await started({ DocumentName: 'changing', Parameters: { who: ['alice'] } })
    expect(await denial(begun)).toBeUndefined()
    await change('changing', { sessionType: 'Standard_Stream', parameters, description: 'again' })
    expect(await denial(begun)).toBeUndefined()
    await change('changing', {
      sessionType: 'Standard_Stream',
      parameters: { who: { type: 'String', allowedPattern: '^b' } },
    })
    expect(await denial(begun)).toContain('document changing changed: The parameters do not fit')
    await api.ok('DeleteDocument', { Name: 'changing' })
    expect(await denial(begun)).toBe('There is no document named changing.')
  })

  test('once it would run as somebody else', async () => {
    const inputs = { runAsEnabled: true, runAsDefaultUser: 'operator' }
    await create('as-operator', { sessionType: 'Standard_Stream', inputs })
    const begun = await started({ DocumentName: 'as-operator' })
    expect(await denial(begun)).toBeUndefined()
    await api.iam('TagUser', {
      UserName: begun.name,
      'Tags.member.1.Key': 'SSMSessionRunAs',
      'Tags.member.1.Value': 'deploy',
    })
    expect(await denial(begun)).toBe('sessions of this person by document as-operator run as deploy now')
  })

  test('not because preferences came or went', async () => {
    const begun = await started()
    const Name = 'SSM-SessionManagerRunShell'
    await create(Name, { sessionType: 'Standard_Stream', inputs: { idleSessionTimeout: '7' } })
    expect(await denial(begun)).toBeUndefined()
    await api.ok('DeleteDocument', { Name })
    expect(await denial(begun)).toBeUndefined()
  })
})

describe('a session that is older than its record', () => {
  const old = (session: Session) => ({ session: { ...session, authority: null } })

  test("goes by the policies of its owner, and by the owner's being there", async () => {
    const begun = await started()
    expect(await denial(old(begun.session))).toBeUndefined()
    const owner = { ownerType: 'user', ownerName: begun.name } as const
    await api.store.ownerPolicies.removeInline(scope, owner, 'policy-0')
    expect(await denial(old(begun.session))).toContain('because no identity-based policy allows')
    expect(await denial(old({ ...begun.session, ownerUserId: 'AIDASOMEBODYBEFORE' }))).toBe(
      `user ${begun.name} was deleted`,
    )
  })
})
