import { AssumeRoleCommand, GetSessionTokenCommand } from '@aws-sdk/client-sts'
import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { testScope as scope } from '@sallyport/server/store/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'
import { allow, clientOf, deny, makeRole, roleArn, usable } from './sts-testing.ts'

// security-cases.md 3, 18, 19: who lost what they were cannot go on with what they got while they were.

const NAME = 'alice-smith'

let api: ApiForTest
let alice: Credentials
beforeEach(async () => {
  api = await openApi()
  api.now = Date.now()
  alice = await api.user(NAME, { policies: [allow('*')] })
  await makeRole(api, 'First', { policies: [allow('*')] })
  await makeRole(api, 'Second', { policies: [allow('*')] })
})
afterEach(() => api.dispose())

async function assume(credentials: Credentials, role: string, RoleSessionName = 'session') {
  const input = { RoleArn: roleArn(role), RoleSessionName }
  return usable((await clientOf(api, credentials).send(new AssumeRoleCommand(input))).Credentials)
}

/** What she has got with her key: a session token, a role, and another role from that one. */
async function everything() {
  const answer = await clientOf(api, alice).send(new GetSessionTokenCommand({}))
  const first = await assume(alice, 'First')
  return { token: usable(answer.Credentials), first, second: await assume(first, 'Second') }
}

const use = (credentials: Credentials) => api.call('DescribeSessions', { State: 'Active' }, credentials)

async function expectAlive(...all: Credentials[]) {
  for (const credentials of all) expect(await use(credentials)).toMatchObject({ status: 200 })
}

async function expectGone(why: string, ...all: Credentials[]) {
  for (const credentials of all) {
    expect(await use(credentials)).toMatchObject({
      code: 'UnrecognizedClientException',
      message: `The security token included in the request is invalid: ${why}.`,
    })
  }
}

async function iam(action: string, input: Record<string, string>) {
  const answer = await api.iam(action, input)
  if (answer.status !== 200) throw new Error(`${action}: ${answer.code}: ${answer.message}`)
}

const key = () => ({ UserName: NAME, AccessKeyId: alice.accessKeyId })

test('all of it ends with the key that it began with, at once', async () => {
  const { token, first, second } = await everything()
  await expectAlive(alice, token, first, second)
  await iam('UpdateAccessKey', { ...key(), Status: 'Inactive' })
  await expectGone(`access key ${alice.accessKeyId} was deactivated`, alice, token, first, second)
  await iam('UpdateAccessKey', { ...key(), Status: 'Active' })
  await expectAlive(alice, token, first, second)
  await iam('DeleteAccessKey', key())
  await expectGone(`access key ${alice.accessKeyId} was deleted`, token, first, second)
  expect((await use(alice)).code).toBe('UnrecognizedClientException')
})

test('a new user of the same name has nothing to do with it, not even with the same key', async () => {
  const { token, first, second } = await everything()
  await iam('DeleteAccessKey', key())
  await iam('DeleteUserPolicy', { UserName: NAME, PolicyName: 'policy-0' })
  await iam('DeleteUser', { UserName: NAME })
  await expectGone(`user ${NAME} was deleted`, token, first, second)
  await iam('CreateUser', { UserName: NAME })
  const sealedSecret = api.sealing.seal(alice.secretAccessKey, alice.accessKeyId)
  const { accessKeyId } = alice
  await api.store.accessKeys.create(scope, { accessKeyId, userName: NAME, sealedSecret, createdAt: 0 })
  await api.givePolicies({ ownerType: 'user', ownerName: NAME }, [allow('*')])
  await expectAlive(alice)
  await expectGone(`user ${NAME} was deleted`, token, first, second)
})

test('a new role of the same name has nothing to do with the sessions of the old one', async () => {
  const { token, first, second } = await everything()
  await iam('DeleteRolePolicy', { RoleName: 'First', PolicyName: 'policy-0' })
  await iam('DeleteRole', { RoleName: 'First' })
  await expectGone('role First was deleted', first)
  await makeRole(api, 'First', { policies: [allow('*')], roleId: 'AROAANOTHER' })
  await expectGone('role First was deleted', first)
  await expectAlive(alice, token, second, await assume(alice, 'First'))
})

test('a user who was renamed goes on under the new name', async () => {
  const { token, first } = await everything()
  await iam('UpdateUser', { UserName: NAME, NewUserName: 'alice-jones' })
  await expectAlive(alice, token, first)
  await api.givePolicies({ ownerType: 'user', ownerName: 'alice-jones' }, [deny('ssm:DescribeSessions')])
  expect((await use(token)).message).toContain('user/alice-jones is not authorized to perform')
})

test('all of it ends in its time', async () => {
  const { token, first } = await everything()
  const began = api.now
  api.now = began + 3_599_000
  await expectAlive(token, first)
  api.now = began + 3_600_000
  expect((await use(first)).code).toBe('ExpiredTokenException')
  await expectAlive(token)
  api.now = began + 43_200_000
  expect((await use(token)).code).toBe('ExpiredTokenException')
})

describe('the same name of a session', () => {
  test('in two roles means two, which have the rights of their roles', async () => {
    await makeRole(api, 'Reader', { policies: [allow('ssm:ListDocuments')] })
    const [reader, first] = [await assume(alice, 'Reader', 'bob'), await assume(alice, 'First', 'bob')]
    expect((await use(reader)).code).toBe('AccessDeniedException')
    await expectAlive(first)
    await makeRole(api, 'Elsewhere', { policies: [deny('*')] })
    await assume(alice, 'Elsewhere', 'bob')
    await expectAlive(first)
  })

  test('as a user has is not that user', async () => {
    await makeRole(api, 'Modest', { policies: [allow('ssm:ListDocuments')] })
    const namesake = await assume(alice, 'Modest', NAME)
    expect((await use(namesake)).message).toContain('assumed-role/Modest/alice-smith is not authorized')
  })
})

test('when keys and roles were used last is written down', async () => {
  const first = await assume(alice, 'First')
  await use(alice)
  await use(first)
  const used = await api.store.accessKeys.find(alice.accessKeyId)
  expect(used).toMatchObject({ lastUsedAt: api.now, lastUsedService: 'sts', lastUsedRegion: scope.region })
  const role = await api.store.roles.get(scope, 'First')
  expect(role).toMatchObject({ lastUsedAt: api.now, lastUsedRegion: scope.region })
})
