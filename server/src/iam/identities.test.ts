import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Store } from '../store/store.ts'
import { testScope as scope, temporaryStore } from '../store/testing.ts'
import { AccessCache } from './access-cache.ts'
import { Identities } from './identities.ts'
import type { RolePrincipal, UserPrincipal } from './principal.ts'

const KEY = 'AKIAALICE'
let store: Store
let dispose: () => Promise<void>
let cache: AccessCache
let identities: Identities

beforeEach(async () => {
  ;({ store, dispose } = await temporaryStore())
  cache = new AccessCache(() => 0)
  identities = new Identities({ store, scope, partition: 'aws', cache })
  await makeAlice('AIDA1')
  await makeRole('AROA1')
})
afterEach(() => dispose())

async function makeAlice(userId: string) {
  await store.users.create(scope, { userName: 'alice', userId, path: '/dev/', createdAt: 0 })
  await store.accessKeys.create(scope, {
    accessKeyId: KEY,
    userName: 'alice',
    sealedSecret: '',
    createdAt: 0,
  })
}

async function makeRole(roleId: string) {
  const role = {
    roleName: 'Dev',
    roleId,
    path: '/',
    description: null,
    trustPolicy: '{}',
    maxSessionDuration: 3600,
    permissionsBoundary: null,
    createdAt: 0,
  }
  await store.roles.create(scope, role, { limit: 10 })
}

const temporary = { accessKeyId: 'ASIA1', issuedAt: 0, expiresAt: 1 }
const alice: UserPrincipal = {
  kind: 'user',
  arn: 'arn:aws:iam::123456789012:user/dev/alice',
  userId: 'AIDA1',
  userName: 'alice',
  longTermKeyId: KEY,
}
const session: RolePrincipal = {
  kind: 'role',
  arn: 'arn:aws:sts::123456789012:assumed-role/Dev/s',
  userId: 'AROA1:s',
  roleArn: 'arn:aws:iam::123456789012:role/Dev',
  roleName: 'Dev',
  sessionName: 's',
  source: { userName: 'alice', userId: 'AIDA1', longTermKeyId: KEY },
  tags: {},
  transitiveTagKeys: [],
  temporary,
}

/** What is said of the user and of the session of a role that she assumed. */
async function why() {
  cache.forget()
  return [await identities.stillValid(alice), await identities.stillValid(session)]
}

test('a person stays one while user, key and role are there', async () => {
  expect(await why()).toEqual([undefined, undefined])
})

test('a key that was deactivated takes everything along, until it is activated again', async () => {
  await store.accessKeys.setStatus(scope, 'alice', KEY, 'Inactive')
  expect(await why()).toEqual([`access key ${KEY} was deactivated`, `access key ${KEY} was deactivated`])
  await store.accessKeys.setStatus(scope, 'alice', KEY, 'Active')
  expect(await why()).toEqual([undefined, undefined])
})

test('so does a key that was deleted', async () => {
  await store.accessKeys.remove(scope, 'alice', KEY)
  expect(await why()).toEqual([`access key ${KEY} was deleted`, `access key ${KEY} was deleted`])
})

test('another user of the same name, even with a key of the same id, is somebody else', async () => {
  await store.accessKeys.remove(scope, 'alice', KEY)
  expect(await store.users.remove(scope, 'alice')).toBe('removed')
  expect(await why()).toEqual(['user alice was deleted', 'user alice was deleted'])
  await makeAlice('AIDA2')
  expect(await why()).toEqual(['user alice was deleted', 'user alice was deleted'])
})

test('a role that was deleted ends its sessions, whoever gets its name afterwards', async () => {
  await store.roles.remove(scope, 'Dev')
  expect(await why()).toEqual([undefined, 'role Dev was deleted'])
  await makeRole('AROA2')
  expect(await why()).toEqual([undefined, 'role Dev was deleted'])
  expect(await identities.stillValid({ ...session, userId: 'AROA2:s' })).toBeUndefined()
})

test('a user who was renamed is the same one, and is called by the new name', async () => {
  await store.users.update(scope, 'alice', { newName: 'alicia', newPath: '/' })
  cache.forget()
  expect(await identities.standing({ ...alice, temporary })).toEqual({
    person: { ...alice, arn: 'arn:aws:iam::123456789012:user/alicia', userName: 'alicia', temporary },
  })
  expect(await identities.stillValid(session)).toBeUndefined()
})

test('the key of another account is none', async () => {
  const foreign = { ...scope, accountId: '210987654321' }
  await store.users.create(foreign, { userName: 'eve', userId: 'AIDAEVE', path: '/', createdAt: 0 })
  await store.accessKeys.create(foreign, {
    accessKeyId: 'AKIAEVE',
    userName: 'eve',
    sealedSecret: '',
    createdAt: 0,
  })
  expect(await identities.accessKey('AKIAEVE')).toBeUndefined()
  expect(await identities.accessKey(KEY)).toMatchObject({ user: { userId: 'AIDA1' } })
})

test('what is known is not asked for again before it is forgotten', async () => {
  const known = await identities.accessKey(KEY)
  await store.accessKeys.remove(scope, 'alice', KEY)
  expect(await identities.accessKey(KEY)).toBe(known)
  cache.forget()
  expect(await identities.accessKey(KEY)).toBeUndefined()
})
