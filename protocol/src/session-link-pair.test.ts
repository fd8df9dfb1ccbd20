import { describe, expect, test } from 'vitest'
import { decodeUtf8, utf8 } from './bytes.ts'
import {
  answerHandshake,
  decodeHandshakeRequest,
  decodeHandshakeResponse,
  encodeHandshakeRequest,
  limitsOf,
  SessionType,
} from './handshake.ts'
import { ManualClock } from './manual-clock.ts'
import { PayloadType } from './message-types.ts'
import { SessionLink } from './session-link.ts'
import { MemoryLink } from './transport/memory.ts'
import { nodeCrypto } from './transport/node-crypto.ts'
import type { Connection } from './transport/transport.ts'

/** Two links through a relay that keeps nothing: what one end sends while the other is away is lost. */
function startPair() {
  const clock = new ManualClock()
  const received = { agent: '', client: '' }
  const farEnds: Partial<Record<'agent' | 'client', Connection>> = {}
  const current: Partial<Record<'agent' | 'client', MemoryLink>> = {}
  const links = {} as Record<'agent' | 'client', SessionLink>
  const other = (role: 'agent' | 'client') => (role === 'agent' ? 'client' : 'agent')
  for (const role of ['agent', 'client'] as const) {
    const dial = async (): Promise<Connection> => {
      const link = new MemoryLink(clock)
      const [near, connection] = link.ends
      current[role] = link
      farEnds[role] = connection
      connection.events = {
        message: data => farEnds[other(role)]?.send(data),
        drain: () => {},
        pong: () => {},
        close: () => {
          if (farEnds[role] === connection) delete farEnds[role]
        },
      }
      return near
    }
    links[role] = new SessionLink({
      role,
      crypto: nodeCrypto,
      clock,
      dial,
      giveUpAfter: 1e9,
      pingEvery: 10_000,
      onGone: () => {},
      deliver: (payloadType, payload) => {
        if (payloadType === PayloadType.handshakeRequest) {
          const answer = answerHandshake(decodeHandshakeRequest(payload), { clientVersion: '1.2.764.0' })
          links.client.channel.sendWhole(PayloadType.handshakeResponse, answer.payload)
          if (answer.terms) links.client.channel.agree(limitsOf(answer.terms))
        } else if (payloadType === PayloadType.handshakeResponse) {
          const { terms } = decodeHandshakeResponse(payload)
          if (terms) links.agent.channel.agree(limitsOf(terms))
        } else received[role] += decodeUtf8(payload)
        return true
      },
    })
    links[role].open()
  }
  return { clock, links, received, cut: (role: 'agent' | 'client') => current[role]?.cut() }
}

describe('two links', () => {
  test('shake hands, agree, and get every byte across although either connection breaks again and again', async () => {
    const { clock, links, received, cut } = startPair()
    links.agent.channel.sendWhole(
      PayloadType.handshakeRequest,
      encodeHandshakeRequest('3.3.2299.0', SessionType.standardStream, null),
    )
    await clock.play(1_000)
    expect(links.agent.channel.maximumPayload).toBe(64 * 1024 + 16)
    expect(links.client.channel.maximumPayload).toBe(64 * 1024 + 16)
    const sent = { agent: '', client: '' }
    for (let round = 0; round < 40; round++) {
      for (const role of ['agent', 'client'] as const) {
        const text = `${role} ${round} ${'.'.repeat(round * 100)}\n`
        sent[role] += text
        links[role].channel.send(PayloadType.output, utf8(text))
        await clock.play(3)
        if (round % 4 === 0) cut(round % 8 === 0 ? 'agent' : 'client')
      }
      await clock.play(40)
    }
    await clock.play(60_000)
    expect(received).toEqual({ agent: sent.client, client: sent.agent })
    expect(links.agent.channel.drained && links.client.channel.drained).toBe(true)
    links.agent.close()
    links.client.close()
    await clock.play(10)
    expect(clock.pending).toBe(0)
  })
})
