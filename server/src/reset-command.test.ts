import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { firstStart } from './iam/first-start.ts'
import { readResetOptions, reset } from './reset-command.ts'
import { openSealing } from './store/sealing.ts'
import { openStore } from './store/store.ts'

const scope = { accountId: '123456789012', region: 'us-east-1' }
const ADMINISTRATOR_ACCESS = 'arn:aws:iam::aws:policy/AdministratorAccess'

async function setUp() {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-reset-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const run = (...argv: string[]) => {
    const options = readResetOptions(['--data-dir', directory, ...argv])
    if (options === undefined) throw new Error('help was not asked for')
    return reset(options, 7)
  }
  return { directory, run }
}

/** The store stays open, as that of a server that runs. */
async function withServer() {
  const { directory, run } = await setUp()
  const store = await openStore({ path: join(directory, 'sallyport.db') })
  onTestFinished(() => store.close())
  const sealing = await openSealing(join(directory, 'master.key'))
  await store.secrets.getOrCreate(scope, 'channel-tokens', 32)
  await firstStart({ store, sealing, realm: { partition: 'aws', scope }, now: 1 })
  return { store, sealing, run }
}

const printedKey = (text: string) => ({
  accessKeyId: /export AWS_ACCESS_KEY_ID=(\S+)/.exec(text)?.[1] ?? '',
  secretAccessKey: /export AWS_SECRET_ACCESS_KEY=(\S+)/.exec(text)?.[1] ?? '',
})
const policiesOf = async (store: Awaited<ReturnType<typeof openStore>>, userName: string) =>
  (await store.ownerPolicies.of(scope, 'user', [userName])).attached.map(({ policyArn }) => policyArn)

test('an administrator who took everything from himself has it back, and nothing else changes', async () => {
  const { store, sealing, run } = await withServer()
  const admin = { ownerType: 'user', ownerName: 'admin' } as const
  await store.ownerPolicies.detach(scope, admin, ADMINISTRATOR_ACCESS)
  await store.ownerPolicies.putInline(scope, { ...admin, policyName: 'deny-all', document: '{}' })
  await store.users.setBoundary(scope, 'admin', 'arn:aws:iam::aws:policy/ReadOnlyAccess')
  const second = { accessKeyId: 'AKIASECOND', userName: 'admin', sealedSecret: 's', createdAt: 1 }
  await store.accessKeys.create(scope, second)

  const told = await run()
  const { accessKeyId, secretAccessKey } = printedKey(told)
  expect(told).toContain('its own policy deny-all')
  const key = await store.accessKeys.find(accessKeyId)
  expect(key).toMatchObject({ userName: 'admin', status: 'Active' })
  expect(sealing.open(key?.sealedSecret ?? '', accessKeyId)).toBe(secretAccessKey)
  expect(await policiesOf(store, 'admin')).toEqual([ADMINISTRATOR_ACCESS])
  expect((await store.users.get(scope, 'admin'))?.permissionsBoundary).toBeNull()
  expect(await store.accessKeys.listForUser(scope, 'admin')).toHaveLength(3)
})

test('a user who is new has nothing that could deny', async () => {
  const { store, run } = await withServer()
  const told = await run('--user-name', 'rescue')
  expect(told).toMatch(
    /^Administrator "rescue"\. The secret is shown this once:\n {2}export AWS_ACCESS_KEY_ID=/,
  )
  expect(told).not.toContain('still has')
  expect(await policiesOf(store, 'rescue')).toEqual([ADMINISTRATOR_ACCESS])
  expect(await store.accessKeys.listForUser(scope, 'admin')).toHaveLength(1)
  // However the name is spelled, it is the same user.
  expect(await run('--user-name', 'RESCUE')).toContain('Administrator "rescue"')
})

test('a wrong directory, account or name is refused and leaves nothing behind', async () => {
  const { directory, run } = await setUp()
  await expect(run()).rejects.toThrow(`No server keeps anything in ${directory}. Give its --data-dir.`)
  expect(await readdir(directory)).toEqual([])
  expect(() => readResetOptions(['--user-name', '../admin'])).toThrow('--user-name')
  const { store, run: reset } = await withServer()
  await expect(reset('--region', 'eu-west-1')).rejects.toThrow(
    'It is for: --account-id 123456789012 --region us-east-1.',
  )
  expect(await store.users.count({ ...scope, region: 'eu-west-1' })).toBe(0)
})
