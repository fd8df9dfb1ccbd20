import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Migration, Migrator } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import * as initial from '../store/migrations/0001-initial.ts'
import * as sessionQuotas from '../store/migrations/0002-session-quotas.ts'
import type { Schema } from '../store/schema.ts'
import { openSealing } from '../store/sealing.ts'
import { openSqlite } from '../store/sqlite.ts'
import { openStore, type Store } from '../store/store.ts'
import { testScope as scope, temporaryStore } from '../store/testing.ts'
import { Access } from './access.ts'
import { AccessCache } from './access-cache.ts'
import { firstStart } from './first-start.ts'
import { NodeRoles } from './node-roles.ts'

const realm = { partition: 'aws', scope }
const ADMINISTRATOR_ACCESS = 'arn:aws:iam::aws:policy/AdministratorAccess'

async function setUp() {
  const { store, directory, dispose } = await temporaryStore()
  onTestFinished(dispose)
  const sealing = await openSealing(join(directory, 'master.key'))
  return { store, sealing, start: () => firstStart({ store, sealing, realm, now: 1 }) }
}

const facts = { now: 1, sourceIp: '192.0.2.1', secureTransport: true, userAgent: '' }
const accessTo = (store: Store) =>
  new Access({ store, scope, partition: 'aws', cache: new AccessCache(() => 1) })

async function mayDoEverything(store: Store, userName: string): Promise<boolean> {
  const arn = `arn:aws:iam::${scope.accountId}:user/${userName}`
  const principal = { kind: 'user', arn, userId: 'AIDA', userName, longTermKeyId: 'AKIA' } as const
  const plan = { all: [{ resource: '*' }, { action: 'ssm:StartSession', resource: 'arn:aws:x' }] }
  return (await accessTo(store).decide(principal, plan, 'iam:DeleteUser', facts)).allowed
}

async function lackOf(store: Store, nodeId: string) {
  const cache = new AccessCache(() => 1)
  const access = accessTo(store)
  const roles = new NodeRoles({ store, scope, partition: 'aws', cache, access, now: () => 1 })
  const node = await store.nodes.get(scope, nodeId)
  return node && (await roles.missing(node))
}

test('the first start makes an administrator with a key, and a role for nodes', async () => {
  const { store, sealing, start } = await setUp()
  const made = await start()
  expect(made).toMatchObject({ userName: 'admin', accessKeyId: expect.stringMatching(/^AKIA[A-Z2-7]{16}$/) })
  const key = await store.accessKeys.find(made?.accessKeyId ?? '')
  expect(key).toMatchObject({ userName: 'admin', status: 'Active' })
  expect(sealing.open(key?.sealedSecret ?? '', made?.accessKeyId ?? '')).toBe(made?.secretAccessKey)
  expect(await mayDoEverything(store, 'admin')).toBe(true)
  expect(await store.roles.get(scope, 'SSMServiceRole')).toMatchObject({
    path: '/',
    roleId: expect.stringMatching(/^AROA[A-Z2-7]{16}$/),
  })
  const node = { kind: 'managed-instance', publicKey: 'k', fingerprint: 'f', registeredAt: 1 } as const
  await store.nodes.insert(scope, { ...node, nodeId: 'mi-1', iamRole: 'SSMServiceRole' })
  await store.nodes.insert(scope, { ...node, nodeId: 'mi-2', iamRole: 'Other' })
  expect(await lackOf(store, 'mi-1')).toBeUndefined()
  expect(await lackOf(store, 'mi-2')).toMatchObject({ why: expect.stringContaining('does not exist') })
})

test('what people have changed since stays so at every other start', async () => {
  const { store, start } = await setUp()
  await start()
  const admin = { ownerType: 'user', ownerName: 'admin' } as const
  await store.ownerPolicies.detach(scope, admin, ADMINISTRATOR_ACCESS)
  const role = { ownerType: 'role', ownerName: 'SSMServiceRole' } as const
  await store.ownerPolicies.detach(scope, role, 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore')
  expect(await store.roles.remove(scope, 'SSMServiceRole')).toBe('removed')
  expect(await start()).toBeUndefined()
  expect((await store.ownerPolicies.of(scope, 'user', ['admin'])).attached).toEqual([])
  expect(await store.roles.list(scope)).toEqual([])
  expect(await store.accessKeys.listForUser(scope, 'admin')).toHaveLength(1)
})

test('a start that fails half way leaves no user that nobody has the key of', async () => {
  const { store, start } = await setUp()
  await store.db.schema.alterTable('access_keys').renameTo('elsewhere').execute()
  await expect(start()).rejects.toThrow()
  await store.db.schema.alterTable('elsewhere').renameTo('access_keys').execute()
  expect(await store.users.count(scope)).toBe(0)
  expect(await store.roles.list(scope)).toEqual([])
  expect(await start()).toBeDefined()
  expect(await mayDoEverything(store, 'admin')).toBe(true)
})

/** A store as versions without policies left it. `iamRoles` are those of nodes mi-0, mi-1, … */
async function olderStore(iamRoles: readonly string[]): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-older-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const path = join(directory, 'sallyport.db')
  const { db } = await openSqlite<Schema>(path)
  const migrations: Record<string, Migration> = {
    '0001-initial': initial,
    '0002-session-quotas': sessionQuotas,
  }
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) throw error
  for (const userName of ['admin', 'alice']) {
    const row = { ...scope, userName, userId: `AIDA${userName}`, path: '/', createdAt: 1 }
    await db
      .insertInto('users')
      .values(row as Schema['users'])
      .execute()
  }
  const activation = {
    ...scope,
    activationId: 'a-1',
    codeHash: '',
    iamRole: 'Unused',
    registrationLimit: 1,
    registrationsCount: 0,
    expiresAt: 9,
    createdAt: 1,
    tags: '[]',
  }
  await db
    .insertInto('activations')
    .values(activation as unknown as Schema['activations'])
    .execute()
  for (const [i, iamRole] of iamRoles.entries()) {
    const node = {
      ...scope,
      nodeId: `mi-${i}`,
      kind: 'managed-instance',
      iamRole,
      publicKey: 'k',
      fingerprint: 'f',
      registeredAt: 1,
      connected: 0,
      connectionEpoch: 0,
    }
    await db
      .insertInto('nodes')
      .values(node as unknown as Schema['nodes'])
      .execute()
  }
  await db.destroy()
  return path
}

test('with the data of earlier versions everybody can do what they could, once', async () => {
  const nodeRoles = ['X', 'service-role/Web', 'x', 'no role/at all*', 'SSMServiceRole']
  const path = await olderStore(nodeRoles)
  const store = await openStore({ path })
  onTestFinished(() => store.close())
  const sealing = await openSealing(join(path, '..', 'master.key'))
  const start = () => firstStart({ store, sealing, realm, now: 5 })

  expect(await start()).toBeUndefined()
  for (const name of ['admin', 'alice']) expect(await mayDoEverything(store, name)).toBe(true)
  const names = (await store.roles.list(scope)).map(({ roleName }) => roleName)
  expect(names).toEqual(['SSMServiceRole', 'Unused', 'Web', 'X'])
  for (const i of nodeRoles.keys()) expect([i, await lackOf(store, `mi-${i}`)]).toEqual([i, undefined])
  const held = await Promise.all(
    nodeRoles.map(async (_, i) => (await store.nodes.get(scope, `mi-${i}`))?.iamRole),
  )
  expect(held).toEqual(['X', 'Web', 'X', 'SSMServiceRole', 'SSMServiceRole'])

  const owner = { ownerType: 'user', ownerName: 'alice' } as const
  await store.ownerPolicies.detach(scope, owner, ADMINISTRATOR_ACCESS)
  expect(await start()).toBeUndefined()
  expect(await mayDoEverything(store, 'alice')).toBe(false)
  expect(await mayDoEverything(store, 'admin')).toBe(true)
})
