import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commandSuite } from './command-suite.ts'
import { documentSuite } from './document-suite.ts'
import { instanceSuite } from './instance-suite.ts'
import { parameterSuite } from './parameter-suite.ts'
import { peopleSuite } from './people-suite.ts'
import { policySuite } from './policy-suite.ts'
import { roleSuite } from './role-suite.ts'
import { sessionSuite } from './session-suite.ts'
import { openStore } from './store.ts'
import { storeSuite } from './store-suite.ts'

const scope = { accountId: '123456789012', region: 'us-east-1' }
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-store-'))
})
afterAll(() => rm(directory, { recursive: true }))

const openSuiteStore = () => openStore({ path: join(directory, 'suite', 'store.db') })
storeSuite('a store in SQLite', openSuiteStore)
sessionSuite('sessions in SQLite', openSuiteStore)
peopleSuite('people in SQLite', openSuiteStore)
roleSuite('roles in SQLite', openSuiteStore)
instanceSuite('instances in SQLite', openSuiteStore)
policySuite('policies in SQLite', openSuiteStore)
commandSuite('commands in SQLite', openSuiteStore)
documentSuite('documents in SQLite', openSuiteStore)
parameterSuite('parameters in SQLite', openSuiteStore)

test('the files are private and the content survives a restart', async () => {
  const path = join(directory, 'private', 'store.db')
  const first = await openStore({ path })
  const secret = await first.secrets.getOrCreate(scope, 'x', 16)
  expect((await stat(join(path, '..'))).mode & 0o777).toBe(0o700)
  for (const file of await readdir(join(path, '..'))) {
    expect([file, (await stat(join(path, '..', file))).mode & 0o777]).toEqual([file, 0o600])
  }
  await first.close()
  await first.close()
  await expect(first.users.count(scope)).rejects.toThrow()
  const second = await openStore({ path })
  expect(await second.secrets.getOrCreate(scope, 'x', 16)).toEqual(secret)
  await second.close()
})

test('a file that is no database stops the start with a StoreError', async () => {
  const path = join(directory, 'broken.db')
  await writeFile(path, 'this is not a database, whatever its name says'.repeat(50))
  await expect(openStore({ path })).rejects.toMatchObject({ name: 'StoreError', code: 'failed' })
})

// Writes tags without end, and prints the key of each after the store has acknowledged it.
const writer = (path: string) => `
  const { openStore } = await import(${JSON.stringify(new URL('./store.ts', import.meta.url).href)})
  const store = await openStore({ path: ${JSON.stringify(path)} })
  const scope = ${JSON.stringify(scope)}
  let next = 0
  const write = async () => {
    for (;;) {
      const id = 'r' + next++
      await store.tags.add(scope, 'Crash', id, [{ Key: 'k', Value: 'v' }])
      process.stdout.write(id + '\\n')
    }
  }
  for (let writers = 0; writers < 20; writers += 1) write()
`

test('every acknowledged row is there after the process was killed in the middle of writing', async () => {
  const path = join(directory, 'crash.db')
  const child = spawn(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', writer(path)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  try {
    const acknowledged = await killAfter(child, 500)
    const store = await openStore({ path })
    const found = await store.tags.forResources(scope, 'Crash', acknowledged)
    await store.close()
    expect(acknowledged.filter(id => !found.has(id))).toEqual([])
    expect(acknowledged.length).toBeGreaterThanOrEqual(500)
  } finally {
    child.kill('SIGKILL')
  }
}, 30_000)

async function killAfter(child: ChildProcess, count: number): Promise<string[]> {
  const exited = once(child, 'exit')
  const acknowledged: string[] = []
  if (!child.stdout) throw new Error('the writer has no output')
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line)
    if (acknowledged.length === count) child.kill('SIGKILL')
  }
  expect(await exited).toEqual([null, 'SIGKILL'])
  return acknowledged
}
