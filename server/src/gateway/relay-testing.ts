import { ManualClock } from '@sallyport/protocol/manual-clock'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import type { Role } from './half.ts'
import { Relay } from './relay.ts'
import { FakeConnection } from './testing.ts'

/** A relay, what it told its owner, and the means to put ends to it. */
export function relayForTest(options: { sessionType?: string; agreed?: boolean } = {}) {
  const clock = new ManualClock()
  const told: string[] = []
  const relay = new Relay({
    sessionId: 's',
    nodeId: 'mi-0123456789abcdef0',
    crypto: nodeCrypto,
    clock,
    pingEvery: 30_000,
    pongTimeout: 10_000,
    sessionType: options.sessionType ?? 'Standard_Stream',
    agreed: options.agreed ?? false,
    onActivity: () => told.push('activity'),
    onPresence: (role, present) => told.push(`${role} ${present ? 'came' : 'went'}`),
    onAgentState: state => told.push(`agent is ${state}`),
    onAgreed: terms => told.push(`agreed on ${terms.payload}`),
    onLateAnswer: waited => told.push(`late by ${waited}`),
    onUnknown: role => told.push(`${role}: unknown`),
    onViolation: (role, error) => told.push(`${role}: ${error.code}`),
  })
  const attach = (role: Role) => {
    const connection = new FakeConnection()
    relay.attach(role, connection)
    return connection
  }
  const both = () => {
    const ends = { client: attach('client'), agent: attach('agent') }
    told.length = 0
    for (const { sent } of Object.values(ends)) sent.length = 0
    return ends
  }
  return { clock, relay, told, attach, both }
}
