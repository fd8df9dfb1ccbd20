import { openControlChannel, openDataChannel } from '@sallyport/protocol/payloads'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ChannelTokens, CLIENT_TOKEN_LIFETIME, newClientToken } from '../iam/channel-tokens.ts'
import type { NodePrincipal, Principal } from '../iam/principal.ts'
import type { Session } from '../store/sessions.ts'
import type { Store } from '../store/store.ts'
import { testScope as scope, temporaryStore } from '../store/testing.ts'
import { Accept, type ChannelPath, channelPath, MAXIMUM_WAITING } from './accept.ts'
import { closings, eventually, GatewayForTest } from './gateway-testing.ts'
import { FakeConnection, frameOf, input } from './testing.ts'

const ANONYMOUS: Principal = { kind: 'anonymous' }
const MINUTE = 60_000

let store: Store
let dispose: () => Promise<void>

beforeAll(async () => {
  ;({ store, dispose } = await temporaryStore())
})
afterAll(() => dispose())

let server: GatewayForTest
let tokens: ChannelTokens
let accept: Accept
let node: NodePrincipal
let session: Session
let clientToken: string

beforeEach(async () => {
  server = new GatewayForTest(store)
  tokens = new ChannelTokens(new Uint8Array(32).fill(7))
  const { gateway, clock, log } = server
  accept = new Accept({ gateway, store, scope, channelTokens: tokens, clock, logger: log.logger })
  node = asNode(await server.node())
  const { token, hash } = newClientToken()
  clientToken = token
  session = await server.start(node.nodeId, {
    clientTokenHash: hash,
    clientTokenExpiresAt: clock.now() + CLIENT_TOKEN_LIFETIME,
  })
  return () => gateway.close()
})

function asNode(nodeId: string): NodePrincipal {
  return { kind: 'node', arn: `arn:aws:sts::1:assumed-role/r/${nodeId}`, userId: 'u', nodeId, roleName: 'r' }
}

function open(path: ChannelPath, principal: Principal): FakeConnection {
  const connection = new FakeConnection()
  accept.open(connection, path, principal)
  return connection
}

const data = (id: string): ChannelPath => ({ kind: 'data', id })
const control = (id: string): ChannelPath => ({ kind: 'control', id })

function opening(TokenValue: string, more: { ClientInstanceId?: string } = {}): Uint8Array {
  return openDataChannel.encode({
    MessageSchemaVersion: '1.0',
    RequestId: 'r',
    TokenValue,
    ClientId: '',
    ...more,
  })
}

function controlOpening(TokenValue: string): Uint8Array {
  const rest = { Cookie: null, AgentVersion: '3.3.0.0', PlatformType: 'linux' }
  return openControlChannel.encode({ MessageSchemaVersion: '1.0', RequestId: 'r', TokenValue, ...rest })
}

function agentToken(nodeId = node.nodeId, channelId = session.sessionId, kind: 'data' | 'control' = 'data') {
  return tokens.issue({ kind, channelId, nodeId }, server.clock.now())
}

/** Refused with the code for it, and with one line in the log that says why. */
async function expectRefused(connection: FakeConnection, reason: string | RegExp): Promise<void> {
  await eventually(() => connection.closedWith).toEqual({ code: 1008, reason: expect.stringMatching(reason) })
  const lines = server.log.lines.filter(({ msg }) => msg === 'channel refused')
  expect(lines.map(line => line.reason)).toEqual([connection.closedWith?.reason])
}

const logged = (msg: string) => server.log.lines.filter(line => line.msg === msg)
const attached = () => logged('data channel open').map(({ role }) => role)

describe('a session that is not allowed any more (security-cases.md 3)', () => {
  const REVOKED = 'This session is no longer allowed: your rights, its document or its node have changed.'

  test.each(['client', 'agent'])(
    'ends when its %s comes, which is told why and gets nothing else',
    async role => {
      server.denial = () => 'access key AKIA was deactivated'
      const other = role === 'agent' ? server.attach(session, 'client') : server.attach(session, 'agent')
      const end = open(data(session.sessionId), role === 'agent' ? node : ANONYMOUS)
      end.receive(opening(role === 'agent' ? agentToken() : clientToken), input(0, 'rm -r /'))
      await expectRefused(end, REVOKED)
      expect(end.types).toEqual(['channel_closed'])
      expect(attached(), 'it never had the session').not.toContain(role)
      expect(closings(end)).toEqual([{ SessionId: session.sessionId, Output: REVOKED }])
      expect(closings(other)).toHaveLength(1)
      expect(other.types).not.toContain('input_stream_data')
      expect(await server.session(session)).toMatchObject({
        status: 'Terminated',
        details: 'Not allowed any more: access key AKIA was deactivated',
      })
    },
  )

  test('whose permission nobody can tell opens for nobody', async () => {
    server.denial = () => Promise.reject(new Error('the store is gone'))
    const client = open(data(session.sessionId), ANONYMOUS)
    client.receive(opening(clientToken))
    await eventually(() => client.closedWith?.code).toBe(1011)
    expect(attached()).toEqual([])
  })
})

describe('a data channel opens', () => {
  test('for a client with its token, and for the agent of the node with its own', async () => {
    open(data(session.sessionId), ANONYMOUS).receive(opening(clientToken))
    await eventually(attached).toEqual(['client'])
    open(data(session.sessionId), node).receive(opening(agentToken(), { ClientInstanceId: node.nodeId }))
    await eventually(attached).toEqual(['client', 'agent'])
  })

  test('with what comes right behind the opening frame kept, in order', async () => {
    const client = open(data(session.sessionId), ANONYMOUS)
    client.receive(opening(clientToken), input(0), input(1))
    await eventually(attached).toEqual(['client'])
    const agent = open(data(session.sessionId), node)
    agent.receive(opening(agentToken()))
    await eventually(() => agent.types).toEqual([
      'input_stream_data',
      'input_stream_data',
      'start_publication',
    ])
    expect(client.paused).toBe(false)
  })

  test('for a peer whose node has no room with reading stopped', async () => {
    const client = open(data(session.sessionId), ANONYMOUS)
    client.receive(opening(clientToken), ...Array.from({ length: 3 }, (_, i) => input(i, 'x'.repeat(60_000))))
    await eventually(() => client.paused && attached().length === 1).toBe(true)
    const { token, hash } = newClientToken()
    await store.sessions.setClientToken(scope, session.sessionId, {
      hash,
      expiresAt: Number.MAX_SAFE_INTEGER,
    })
    const again = open(data(session.sessionId), ANONYMOUS)
    again.receive(opening(token))
    await eventually(attached).toEqual(['client', 'client'])
    expect(again.paused).toBe(true)
  })
})

describe('a control channel opens', () => {
  test('for its node', async () => {
    const connection = open(control(node.nodeId), node)
    connection.receive(controlOpening(agentToken(node.nodeId, node.nodeId, 'control')))
    await eventually(() => connection.types).toEqual(['interactive_shell'])
    expect(connection.paused).toBe(false)
    expect(await server.isOnline(node.nodeId)).toBe(true)
  })

  test('for nobody else, and with no other token', async () => {
    const own = agentToken(node.nodeId, node.nodeId, 'control')
    const other = asNode(await server.node())
    const cases: Array<[Principal, string, RegExp]> = [
      [other, own, /belongs to another node/],
      [ANONYMOUS, own, /belongs to another node/],
      [{ kind: 'node-key', arn: 'a', nodeId: node.nodeId }, own, /belongs to another node/],
      [node, agentToken(other.nodeId, other.nodeId, 'control'), /token is not valid/],
      [node, agentToken(node.nodeId, session.sessionId, 'data'), /token is not valid/],
      [node, agentToken(node.nodeId, node.nodeId, 'data'), /token is not valid/],
      [node, clientToken, /token is not valid/],
      [node, '', /token is not valid/],
    ]
    for (const [principal, token, reason] of cases) {
      server.log.lines.length = 0
      const connection = open(control(node.nodeId), principal)
      connection.receive(controlOpening(token))
      await expectRefused(connection, reason)
    }
    expect(server.gateway.nodeCount).toBe(0)
  })
})

describe('an opening frame', () => {
  const junk: Record<string, Uint8Array | string> = {
    'is empty': '',
    'is binary': frameOf({}),
    'is no UTF-8': new Uint8Array([0xff, 0xfe, 0x00]),
    'is no JSON': '{"TokenValue":',
    'is a list': '[]',
    'is null': 'null',
    'lacks its token': '{"MessageSchemaVersion":"1.0","RequestId":"r"}',
    'has a number for a token': '{"MessageSchemaVersion":"1.0","RequestId":"r","TokenValue":7}',
    'is deep': `${'['.repeat(8_000)}${']'.repeat(8_000)}`,
    'is longer than any': ' '.repeat(16 * 1024 + 1),
  }
  for (const [what, frame] of Object.entries(junk)) {
    for (const kind of ['data', 'control'] as const) {
      test(`that ${what} opens no ${kind} channel`, async () => {
        const connection = open({ kind, id: kind === 'data' ? session.sessionId : node.nodeId }, node)
        connection.receive(frame)
        await expectRefused(connection, /./)
        connection.receive(opening(agentToken()))
        expect(attached()).toEqual([])
      })
    }
  }

  test('that never comes is not waited for', async () => {
    const connection = open(data(session.sessionId), ANONYMOUS)
    server.clock.advance(9_999)
    expect(connection.closedWith).toBeUndefined()
    server.clock.advance(1)
    await expectRefused(connection, 'no opening frame came in time')
  })

  test('that comes after the refusal opens nothing', async () => {
    const connection = new FakeConnection()
    // A peer that takes its time to answer the close.
    connection.close = (code, reason) => {
      connection.closedWith = { code, reason }
    }
    accept.open(connection, data(session.sessionId), ANONYMOUS)
    server.clock.advance(10_000)
    connection.receive(opening(clientToken))
    await store.sessions.get(scope, session.sessionId)
    expect(attached()).toEqual([])
    const use = await store.sessions.get(scope, session.sessionId)
    expect(use?.clientTokenUsedAt).toBeNull()
  })

  test('is waited for from so many peers only; the one that waits longest goes', async () => {
    const before = server.clock.pending
    const first = open(data('nobody'), ANONYMOUS)
    for (let i = 0; i < MAXIMUM_WAITING; i++) open(data('nobody'), ANONYMOUS)
    await expectRefused(first, 'too many')
    expect(server.clock.pending - before).toBe(MAXIMUM_WAITING)
    const client = open(data(session.sessionId), ANONYMOUS)
    client.receive(opening(clientToken))
    await eventually(attached).toEqual(['client'])
  })

  test('of a peer that hung up leaves no timer', () => {
    const before = server.clock.pending
    open(data(session.sessionId), ANONYMOUS).lose()
    expect(server.clock.pending).toBe(before)
  })
})

describe('a client', () => {
  async function refusedClient(token: string, reason: string | RegExp, sessionId = session.sessionId) {
    server.log.lines.length = 0
    const connection = open(data(sessionId), ANONYMOUS)
    connection.receive(opening(token))
    await expectRefused(connection, reason)
    expect(attached()).toEqual([])
  }

  test('cannot tell a session that does not exist from one that is not its own', async () => {
    const reason = /^the token is not valid$/
    await refusedClient('guessed', reason)
    await refusedClient('guessed', reason, 'alice-00000000000000000')
    await refusedClient(clientToken.slice(0, -1), reason)
    await refusedClient(clientToken, reason, (await server.start(node.nodeId)).sessionId)
    await refusedClient(agentToken(), reason)
    await store.sessions.end(scope, session.sessionId, { status: 'Terminated', now: 1 })
    await refusedClient('guessed', reason)
  })

  test('with a token of its own is told what is the matter with it', async () => {
    open(data(session.sessionId), ANONYMOUS).receive(opening(clientToken))
    await eventually(attached).toEqual(['client'])
    await refusedClient(clientToken, 'was used before; ResumeSession gives a new one')
    const { token, hash } = newClientToken()
    const expiresAt = server.clock.now() + 10_000
    await store.sessions.setClientToken(scope, session.sessionId, { hash, expiresAt })
    await refusedClient(clientToken, 'the token is not valid')
    server.clock.advance(10_000)
    await refusedClient(token, 'the token has expired')
    await store.sessions.end(scope, session.sessionId, { status: 'Terminated', now: 1 })
    await refusedClient(token, 'the session has ended')
  })

  test('that is one of two with the same token is let in, the other not', async () => {
    const two = [open(data(session.sessionId), ANONYMOUS), open(data(session.sessionId), ANONYMOUS)]
    for (const connection of two) connection.receive(opening(clientToken))
    await eventually(() => two.filter(({ closedWith }) => closedWith?.code === 1008).length).toBe(1)
    await eventually(attached).toEqual(['client'])
  })

  test('may not say that it is a node', async () => {
    for (const token of [clientToken, agentToken()]) {
      server.log.lines.length = 0
      const connection = open(data(session.sessionId), ANONYMOUS)
      connection.receive(opening(token, { ClientInstanceId: node.nodeId }))
      await expectRefused(connection, 'an agent must sign its request')
    }
    expect((await server.session(session))?.clientTokenUsedAt, 'and keeps its token').toBeNull()
  })
})

describe('a node', () => {
  async function refusedNode(principal: Principal, token: string, reason: string | RegExp, claimed?: string) {
    server.log.lines.length = 0
    const connection = open(data(session.sessionId), principal)
    connection.receive(opening(token, claimed === undefined ? {} : { ClientInstanceId: claimed }))
    await expectRefused(connection, reason)
    expect(attached()).toEqual([])
  }

  test("opens no session of another's, with whatever token and name", async () => {
    const other = asNode(await server.node())
    const own = await server.start(other.nodeId)
    await refusedNode(other, agentToken(other.nodeId), 'the token is not valid')
    await refusedNode(other, agentToken(), 'the token is not valid')
    await refusedNode(other, agentToken(), 'belongs to another node', node.nodeId)
    await refusedNode(other, agentToken(other.nodeId, own.sessionId), 'the token is not valid')
    await refusedNode(other, clientToken, 'the token is not valid')
  })

  test('needs a token that is fresh, of this channel and not changed', async () => {
    const old = tokens.issue(
      { kind: 'data', channelId: session.sessionId, nodeId: node.nodeId },
      server.clock.now() - MINUTE,
    )
    await refusedNode(node, old, 'the token is not valid')
    await refusedNode(node, agentToken(node.nodeId, node.nodeId, 'control'), 'the token is not valid')
    await refusedNode(node, agentToken().slice(1), 'the token is not valid')
    await refusedNode(node, '', 'the token is not valid')
    await refusedNode(node, clientToken, 'the token is not valid')
  })

  test('opens no session that has ended', async () => {
    const token = agentToken()
    await store.sessions.end(scope, session.sessionId, { status: 'Terminated', now: 1 })
    await refusedNode(node, token, 'the session has ended')
  })
})

test('a store that fails closes the channel with 1011 and without its reasons', async () => {
  const broken = await temporaryStore()
  const { gateway, clock, log } = server
  accept = new Accept({
    gateway,
    store: broken.store,
    scope,
    channelTokens: tokens,
    clock,
    logger: log.logger,
  })
  await broken.dispose()
  const connection = open(data(session.sessionId), ANONYMOUS)
  connection.receive(opening(clientToken))
  await eventually(() => connection.closedWith).toEqual({
    code: 1011,
    reason: 'the server could not open the channel',
  })
  expect(logged('channel could not be opened')).toHaveLength(1)
})

test('the path of a channel is read to the letter', () => {
  expect(channelPath('/v1/control-channel/mi-0123456789abcdef0')).toEqual(control('mi-0123456789abcdef0'))
  expect(channelPath('/v1/data-channel/a%40b.c-123')).toEqual(data('a@b.c-123'))
  const none = ['/', '/v1/data-channel/', '/v1/data-channel/a/b', '/v1/data-channel/%', '/v2/data-channel/a']
  for (const path of [...none, `/v1/data-channel/${'a'.repeat(201)}`, '/V1/data-channel/a']) {
    expect(channelPath(path), path).toBeUndefined()
  }
})
