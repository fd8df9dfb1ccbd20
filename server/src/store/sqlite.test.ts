import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { openSqlite, type Sqlite } from './sqlite.ts'
import { MAX_PENDING } from './sqlite-thread.ts'

type Things = { things: { id: string; size: number; other: string | null } }

let directory: string
let sqlite: Sqlite<Things>
let files = 0

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-sqlite-'))
})
afterAll(() => rm(directory, { recursive: true }))

beforeEach(async () => {
  files += 1
  sqlite = await openSqlite<Things>(join(directory, `${files}.db`))
  await sql`create table things (
    id text primary key not null, size bigint not null,
    other text references things (id) deferrable initially deferred
  )`.execute(sqlite.db)
})
afterEach(() => sqlite.db.destroy())

const thing = (id: string, more: Partial<Things['things']> = {}) => ({ id, size: 1, other: null, ...more })
const insert = (id: string, more: Partial<Things['things']> = {}) =>
  sqlite.db.insertInto('things').values(thing(id, more)).execute()
const ids = async () =>
  (await sqlite.db.selectFrom('things').select('id').orderBy('id').execute()).map(({ id }) => id)
const range = (count: number) => Array.from({ length: count }, (_, at) => `t${at}`)

test('the database is durable and keeps foreign keys', async () => {
  const pragma = async (name: string) =>
    Object.values((await sql.raw(`pragma ${name}`).execute(sqlite.db)).rows[0] ?? {})
  expect(await pragma('journal_mode')).toEqual(['wal'])
  expect(await pragma('synchronous')).toEqual([2])
  expect(await pragma('foreign_keys')).toEqual([1])
})

test('a thousand writes at once share few commits, and reads need none', async () => {
  const before = await sqlite.commits()
  await Promise.all(range(1_000).map(id => insert(id)))
  const commits = (await sqlite.commits()) - before
  expect(await ids()).toHaveLength(1_000)
  expect(commits).toBeLessThan(100)
  expect((await sqlite.commits()) - before).toBe(commits)
})

test('of a group only the statement that breaks a constraint fails', async () => {
  const results = await Promise.allSettled(['a', 'b', 'a', 'c'].map(id => insert(id)))
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
  expect(results[2]).toMatchObject({ reason: { name: 'StoreError', code: 'constraint' } })
  expect(await ids()).toEqual(['a', 'b', 'c'])
})

test('a commit that fails takes its whole group with it and leaves the store usable', async () => {
  // A deferred foreign key is checked at the commit, like the disk.
  const results = await Promise.allSettled([insert('a'), insert('b', { other: 'nobody' }), insert('c')])
  for (const result of results) expect(result).toMatchObject({ reason: { code: 'constraint' } })
  expect(await ids()).toEqual([])
  await insert('d')
  expect(await ids()).toEqual(['d'])
})

test('a full disk is a StoreError and nothing acknowledged is lost', async () => {
  await insert('small')
  await sql`pragma max_page_count = 20`.execute(sqlite.db)
  const big = 'x'.repeat(3_000)
  const names = range(60).map(name => `${name}-${big}`)
  const results = await Promise.allSettled(names.map(name => insert(name)))
  const refused = results.filter(result => result.status === 'rejected')
  expect(refused.length).toBeGreaterThan(30)
  for (const { reason } of refused) expect(reason).toMatchObject({ name: 'StoreError', code: 'full' })
  const accepted = names.filter((_, at) => results[at]?.status === 'fulfilled')
  expect(await ids()).toEqual(['small', ...accepted].sort())

  await sql`pragma max_page_count = 100000`.execute(sqlite.db)
  await insert('room again')
  expect(await ids()).toContain('room again')
})

test('a transaction is kept or dropped as a whole', async () => {
  const { db } = sqlite
  await db.transaction().execute(async transaction => {
    await transaction.insertInto('things').values(thing('a')).execute()
    await transaction.insertInto('things').values(thing('b')).execute()
  })
  const dropped = db.transaction().execute(async transaction => {
    await transaction.insertInto('things').values(thing('c')).execute()
    throw new Error('changed my mind')
  })
  await expect(dropped).rejects.toThrow('changed my mind')
  expect(await ids()).toEqual(['a', 'b'])
})

test('a transaction that fails at its commit changes nothing and frees the database', async () => {
  const failing = sqlite.db.transaction().execute(transaction =>
    transaction
      .insertInto('things')
      .values(thing('a', { other: 'nobody' }))
      .execute(),
  )
  await expect(failing).rejects.toMatchObject({ code: 'constraint' })
  await insert('b')
  expect(await ids()).toEqual(['b'])
})

test('nobody sees or joins the transaction of another', async () => {
  const { db } = sqlite
  await insert('n', { size: 0 })
  const events: string[] = []
  const add = (name: string) =>
    db.transaction().execute(async transaction => {
      events.push(`${name} begins`)
      const { size } = await transaction.selectFrom('things').select('size').executeTakeFirstOrThrow()
      await transaction
        .updateTable('things')
        .set({ size: size + 1 })
        .execute()
      events.push(`${name} ends`)
    })
  await Promise.all([
    ...['a', 'b', 'c'].map(add),
    insert('outside'),
    db.deleteFrom('things').where('id', '=', 'no').execute(),
  ])
  expect(events).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
  expect(await db.selectFrom('things').select('size').where('id', '=', 'n').execute()).toEqual([{ size: 3 }])
})

test('where readers may pass they see what is committed, but not past writes that were asked for before', async () => {
  await insert('before')
  const order: string[] = []
  const later = await sqlite.db
    .transaction()
    .setIsolationLevel('read committed')
    .execute(async transaction => {
      await transaction.insertInto('things').values(thing('in it')).execute()
      expect(await ids()).toEqual(['before'])
      const writing = insert('behind it').then(() => order.push('written'))
      const reading = ids().then(found => order.push(found.join()))
      // Several ways there and back: what could have passed would have been answered by then.
      for (let i = 0; i < 10; i++) await transaction.selectFrom('things').select('id').execute()
      expect(order).toEqual([])
      return [writing, reading]
    })
  await Promise.all(later)
  expect(order).toEqual(['written', 'before,behind it,in it'])
})

test('a transaction through which nobody reads keeps everybody in order', async () => {
  let seen: Promise<string[]> | undefined
  await sqlite.db.transaction().execute(async transaction => {
    await transaction.insertInto('things').values(thing('a')).execute()
    seen = ids()
    await transaction.insertInto('things').values(thing('b')).execute()
  })
  expect(await seen).toEqual(['a', 'b'])
})

test('rows are plain objects, numbers stay exact and changes are counted', async () => {
  await insert('a', { size: Number.MAX_SAFE_INTEGER })
  const [row] = await sqlite.db.selectFrom('things').selectAll().execute()
  expect(row).toStrictEqual({ id: 'a', size: Number.MAX_SAFE_INTEGER, other: null })
  const updated = await sqlite.db.updateTable('things').set({ size: 2 }).executeTakeFirst()
  expect(updated.numUpdatedRows).toBe(1n)
  const deleted = await sqlite.db.deleteFrom('things').returning('id').execute()
  expect(deleted).toEqual([{ id: 'a' }])
})

test('more statements than the bound are refused, not queued', async () => {
  const results = await Promise.allSettled(range(MAX_PENDING + 10).map(() => ids()))
  const refused = results.filter(result => result.status === 'rejected')
  expect(refused).toHaveLength(10)
  expect(refused[0]).toMatchObject({ reason: { name: 'StoreError', code: 'busy' } })
  await insert('still works')
})

test('what was asked before the end is finished, what is asked after it is refused', async () => {
  const path = join(directory, 'ending.db')
  const ending = await openSqlite<Things>(path)
  await sql`create table things (id text primary key not null, size bigint not null, other text)`.execute(
    ending.db,
  )
  const writes = range(50).map(id => ending.db.insertInto('things').values(thing(id)).execute())
  // One turn, so that the statements are on their way.
  await Promise.resolve()
  const [results] = await Promise.all([
    Promise.allSettled(writes),
    Promise.all(writes).then(() => ending.db.destroy()),
  ])
  expect(results.every(({ status }) => status === 'fulfilled')).toBe(true)
  await expect(ending.db.selectFrom('things').selectAll().execute()).rejects.toThrow()
  const again = await openSqlite<Things>(path)
  expect(await again.db.selectFrom('things').selectAll().execute()).toHaveLength(50)
  await again.db.destroy()
})
