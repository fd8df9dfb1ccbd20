import { CHANNEL_TOKEN_KEY_SIZE, ChannelTokens, hashClientToken } from '@sallyport/server/iam/channel-tokens'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  call,
  dial,
  expectRefusal,
  frameOf,
  logLines,
  openData,
  type RawChannel,
  REGION,
  type Session,
  startSession,
  upgradeHeaders,
} from './hostile-peer.ts'
import { type HostileScene, openHostileScene } from './hostile-scene.ts'

// Who may open a channel: with tokens that are somebody else's, used, old or made up. The session of a bystander goes on.

const SCOPE = { accountId: '123456789012', region: REGION }
const MINUTE = 60_000
const REFUSED = 1008

let scene: HostileScene
let { stack, mallory, victim, store } = {} as HostileScene

beforeAll(async () => {
  scene = await openHostileScene()
  ;({ stack, mallory, victim, store } = scene)
})

afterAll(() => scene?.[Symbol.asyncDispose]())

describe('a data channel', () => {
  let session: Session
  let other: Session

  beforeEach(async () => {
    session = await startSession(stack, victim.id)
    other = await startSession(stack, mallory.id)
  })

  /** Closed with the code for a refusal, which is in the log, once, with the reason. */
  async function expectClosed(
    channel: RawChannel,
    sessionId: string,
    reason: string | RegExp,
  ): Promise<void> {
    const closed = await channel.closed
    expect(closed).toEqual({ code: REFUSED, reason: expect.stringMatching(reason) })
    expect(channel.received).toEqual([])
    const lines = () => logLines(stack, '"channel refused"', `"channelId":"${sessionId}"`, closed.reason)
    await expect.poll(lines).toHaveLength(1)
  }

  const invalid = 'the token is not valid'

  test('opens for its token, once, and for one of two that come at the same time', async () => {
    const both = await Promise.all(
      [1, 2].map(() => openData(stack, session.StreamUrl, { token: session.TokenValue })),
    )
    const loser = await Promise.race(both.map(async channel => ({ channel, ...(await channel.closed) })))
    expect(loser).toMatchObject({ code: REFUSED, reason: expect.stringContaining('used before') })
    const winner = both.find(channel => channel !== loser.channel)
    winner?.connection.send(frameOf({ sequenceNumber: 0 }))
    const { SessionId } = session
    await expect.poll(() => logLines(stack, SessionId, 'data channel open')).toHaveLength(1)
    expect(logLines(stack, SessionId, 'data channel lost')).toEqual([])
    winner?.connection.terminate()
  })

  test('opens for no token that is made up, cut, or of another session', async () => {
    for (const token of ['', 'x', session.TokenValue.slice(0, -1), `${session.TokenValue}A`]) {
      const channel = await openData(stack, session.StreamUrl, { token })
      expect(await channel.closed).toMatchObject({ code: REFUSED, reason: invalid })
    }
    const foreign = await openData(stack, session.StreamUrl, { token: other.TokenValue })
    expect(await foreign.closed).toMatchObject({ code: REFUSED, reason: invalid })
    const nobodys = session.StreamUrl.replace(session.SessionId, 'nobody-0123456789')
    await expectClosed(
      await openData(stack, nobodys, { token: session.TokenValue }),
      'nobody-0123456789',
      invalid,
    )
  })

  test('opens for no token that was replaced, is too old, or whose session has ended', async () => {
    const { SessionId, TokenValue: first, StreamUrl } = session
    const resumed = await call(stack, 'ResumeSession', { SessionId })
    const { TokenValue: second } = JSON.parse(resumed.body) as Session
    await expectClosed(await openData(stack, StreamUrl, { token: first }), SessionId, invalid)

    const aged = { hash: hashClientToken(second), expiresAt: Date.now() - 1 }
    await store.sessions.setClientToken(SCOPE, SessionId, aged)
    await expectClosed(await openData(stack, StreamUrl, { token: second }), SessionId, 'has expired')

    const { TokenValue: third } = JSON.parse(
      (await call(stack, 'ResumeSession', { SessionId })).body,
    ) as Session
    await call(stack, 'TerminateSession', { SessionId })
    await expectClosed(await openData(stack, StreamUrl, { token: third }), SessionId, 'has ended')
    await expectRefusal(
      stack,
      await call(stack, 'ResumeSession', { SessionId }),
      400,
      'DoesNotExistException',
    )
  })

  test('takes no client for the agent, and no agent for the client', async () => {
    const { SessionId, TokenValue, StreamUrl } = session
    const asAgent = { token: TokenValue, nodeId: victim.id }
    await expectClosed(await openData(stack, StreamUrl, asAgent), SessionId, 'an agent must sign its request')
    const headers = upgradeHeaders(stack, StreamUrl)
    const signedByUser = await openData(stack, StreamUrl, { ...asAgent, headers })
    expect(await signedByUser.closed).toMatchObject({ code: REFUSED })

    const agentToken = await victim.plane.createChannel('data', SessionId)
    const unsigned = await openData(stack, StreamUrl, { token: agentToken, nodeId: victim.id })
    expect(await unsigned.closed).toMatchObject({ code: REFUSED })
    await expectClosed(await victim.data(SessionId, { token: TokenValue }), SessionId, invalid)
  })

  test('of one node is closed to another', async () => {
    const { SessionId } = session
    const ownToken = await mallory.plane.createChannel('data', other.SessionId)
    const ends = [
      await mallory.data(SessionId, { token: ownToken, nodeId: mallory.id }),
      await mallory.data(SessionId, { token: ownToken, nodeId: victim.id }),
      await mallory.data(SessionId, {
        token: await victim.plane.createChannel('data', SessionId),
        nodeId: mallory.id,
      }),
      await mallory.data(SessionId, { token: session.TokenValue }),
      await mallory.data(SessionId, { token: await mallory.plane.createChannel('control', mallory.id) }),
    ]
    for (const channel of ends) expect(await channel.closed).toMatchObject({ code: REFUSED })
    expect(logLines(stack, SessionId, 'data channel open')).toEqual([])
  })

  test("opens for no agent's token that is older than a minute", async () => {
    const key = await store.secrets.getOrCreate(SCOPE, 'channel-tokens', CHANNEL_TOKEN_KEY_SIZE)
    const { SessionId } = session
    const claim = { kind: 'data', channelId: SessionId, nodeId: victim.id } as const
    const token = new ChannelTokens(key).issue(claim, Date.now() - MINUTE)
    await expectClosed(await victim.data(SessionId, { token, nodeId: victim.id }), SessionId, invalid)
    const fresh = new ChannelTokens(key).issue(claim, Date.now())
    const channel = await victim.data(SessionId, { token: fresh, nodeId: victim.id })
    await expect.poll(() => logLines(stack, SessionId, 'data channel open')).toHaveLength(1)
    channel.connection.terminate()
  })

  test('starts with an opening frame, and with nothing else', async () => {
    for (const opening of ['', '{}', '[]', 'null', '{"TokenValue":1}', 'x'.repeat(17 * 1024)]) {
      const channel = await dial(stack, session.StreamUrl)
      channel.connection.send(opening)
      expect(await channel.closed, opening.slice(0, 20)).toMatchObject({ code: REFUSED })
    }
    const binary = await dial(stack, session.StreamUrl)
    binary.connection.send(frameOf({}))
    expect(await binary.closed).toMatchObject({ code: REFUSED })
  })
})
