import { testScope as scope } from '@sallyport/server/store/testing'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiForTest, openApi, publicKeyText } from '../testing.ts'

let api: ApiForTest

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.dispose())

/** Every table, to the last row. */
async function everything(): Promise<string> {
  const tables = ['nodes', 'activations', 'sessions', 'tasks', 'documents', 'tags'] as const
  const rows = await Promise.all(tables.map(table => api.store.db.selectFrom(table).selectAll().execute()))
  return JSON.stringify(rows)
}

test('a full disk is told to whoever wants something stored, and nothing is half done', async () => {
  const node = await api.onlineNode()
  const { ActivationId, ActivationCode } = await api.ok('CreateActivation', {
    IamRole: 'SSMServiceRole',
    RegistrationLimit: 1000,
  })
  // SQLite refuses to grow: what it does when the disk is full.
  const { rows } = await sql<{ page_count: number }>`PRAGMA page_count`.execute(api.store.db)
  const [first] = rows as Array<Record<string, number>>
  const pages = Object.values(first ?? {})[0] ?? 0
  await sql.raw(`PRAGMA max_page_count = ${pages + 2}`).execute(api.store.db)

  const big = JSON.stringify({
    schemaVersion: '1.0',
    sessionType: 'Standard_Stream',
    description: 'x'.repeat(60_000),
  })
  const machine = { Fingerprint: 'f', PublicKey: publicKeyText, PublicKeyType: 'Rsa' }
  const document = await api.call('CreateDocument', { Name: 'big', DocumentType: 'Session', Content: big })
  expect(document).toMatchObject({
    status: 500,
    code: 'InternalServerError',
    message: 'The server cannot store anything: its disk is full. Nothing was changed.',
  })

  // Small things find room in the pages that there are, until these are full too.
  const wants: Array<() => Promise<{ status: number; message: string }>> = [
    () => api.call('StartSession', { Target: node, Reason: 'r'.repeat(256) }),
    () => api.anonymous('RegisterManagedInstance', { ActivationId, ActivationCode, ...machine }),
    () => api.call('CreateActivation', { IamRole: 'SSMServiceRole', Description: 'd'.repeat(256) }),
  ]
  for (const want of wants) {
    let answer = { status: 200, message: '' }
    let before = ''
    for (let i = 0; i < 100 && answer.status === 200; i++) {
      before = await everything()
      answer = await want()
    }
    expect(answer).toMatchObject({ status: 500, message: document.message })
    expect(await everything()).toBe(before)
  }
  expect(await api.code('DescribeSessions', { State: 'Active' }), 'reading goes on').toBe('')

  await sql.raw('PRAGMA max_page_count = 1000000').execute(api.store.db)
  for (const want of wants) expect((await want()).status).toBe(200)
  expect((await api.store.documents.list(scope, {}, { limit: 10 })).items).toEqual([])
})
