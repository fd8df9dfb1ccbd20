import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openSealing } from '../store/sealing.ts'
import { testScope as scope, temporaryStore } from '../store/testing.ts'
import { createFirstAdministrator } from './first-administrator.ts'

async function setUp() {
  const { store, directory, dispose } = await temporaryStore()
  onTestFinished(dispose)
  const sealing = await openSealing(join(directory, 'master.key'))
  return { store, sealing, create: () => createFirstAdministrator(store, sealing, scope, 1) }
}

test('the first start makes an administrator with a key, every other start none', async () => {
  const { store, sealing, create } = await setUp()
  const made = await create()
  expect(made).toMatchObject({ userName: 'admin', accessKeyId: expect.stringMatching(/^AKIA[A-Z2-7]{16}$/) })
  const key = await store.principals.findAccessKey(made?.accessKeyId ?? '')
  expect(key).toMatchObject({ userName: 'admin', status: 'Active' })
  expect(sealing.open(key?.sealedSecret ?? '', made?.accessKeyId ?? '')).toBe(made?.secretAccessKey)
  expect(await create()).toBeUndefined()
})

test('a start that fails half way leaves no user that nobody has the key of', async () => {
  const { store, create } = await setUp()
  await store.db.schema.alterTable('access_keys').renameTo('elsewhere').execute()
  await expect(create()).rejects.toThrow()
  await store.db.schema.alterTable('elsewhere').renameTo('access_keys').execute()
  expect(await store.principals.countUsers(scope)).toBe(0)
  expect(await create()).toBeDefined()
})
