import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiForTest, openApi, read } from '../../testing.ts'

let api: ApiForTest
let node: string

beforeAll(async () => {
  api = await openApi()
  node = await api.onlineNode()
})
afterAll(() => api.dispose())
const startAs = () => api.ok('StartSession', { Target: node })

describe('CreateDataChannel', () => {
  const create = async (id: unknown, nodeId: string) => {
    const body = { MessageSchemaVersion: '1.0', RequestId: 'r', ClientId: '' }
    const request = { ...api.jsonRequest('', body), path: `/v1/data-channel/${id}` }
    return read(await api.handle(api.signed(request, api.asNode(nodeId), { service: 'ssmmessages' })))
  }

  test("gives a node a token for its own session, and takes the session's start off its list", async () => {
    const { SessionId } = await startAs()
    const { status, body } = await create(SessionId, node)
    expect(status).toBe(201)
    const token = /<TokenValue>(.+?)</.exec(String(body.text))?.[1] ?? ''
    const claim = { kind: 'data', channelId: String(SessionId), nodeId: node } as const
    expect(api.channelTokens.check(token, claim, api.now)).toBe(true)
    const owed = (await api.store.tasks.listForNode(scope, node)).map(task => task.sessionId)
    expect(owed).not.toContain(SessionId)
  })

  test("tells nobody's session from somebody else's", async () => {
    const { SessionId } = await startAs()
    const other = await api.onlineNode()
    for (const id of [SessionId, 'alice-nobody']) {
      const { status, code, message } = await create(id, other)
      expect({ status, code }).toEqual({ status: 400, code: 'BadRequest' })
      expect(message).toBe(`There is no session ${id} of node ${other}.`)
    }
    const owed = (await api.store.tasks.listForNode(scope, node)).map(task => task.sessionId)
    expect(owed).toContain(SessionId)
  })

  test('stops the agent of a session that is over in the words that it looks for', async () => {
    const { SessionId: ended } = await startAs()
    await api.ok('TerminateSession', { SessionId: ended })
    const { SessionId: ending } = await startAs()
    await api.store.sessions.setStatus(scope, String(ending), 'Terminating', { now: api.now })
    for (const id of [ended, ending]) {
      expect((await create(id, node)).message).toContain('Session is already terminated')
    }
  })
})
