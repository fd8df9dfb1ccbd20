import { randomUUID } from 'node:crypto'
import { ManualClock } from '@sallyport/protocol/manual-clock'
import { channelClosedPayload } from '@sallyport/protocol/payloads'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { afterAll, beforeAll, expect } from 'vitest'
import { type Bus, nodeSubject, sessionSubject } from '../bus/bus.ts'
import { openMemoryBus } from '../bus/memory.ts'
import { Commands } from '../commands/commands.ts'
import type { NewSession, Session } from '../store/sessions.ts'
import type { Store } from '../store/store.ts'
import { testScope as scope, temporaryStore } from '../store/testing.ts'
import { Gateway } from './gateway.ts'
import type { Role } from './half.ts'
import type { GatewayOptions } from './options.ts'
import { decode, FakeConnection, readableLog, word } from './testing.ts'

export const timing = {
  sessionStartTimeoutMs: 30_000,
  // The connections of these tests answer no pings.
  clientPingMs: 1e9,
  pongTimeoutMs: 15_000,
  presenceGraceMs: 2_500,
}

/** Waits for what the store and the bus bring about in their own time. */
export function eventually<T>(read: () => T | Promise<T>) {
  return expect.poll(read, { interval: 2, timeout: 5_000 })
}

/** A gateway between a real store and a real bus, with a clock of the test's. What the API does, the test does. */
export class GatewayForTest {
  readonly clock: ManualClock
  readonly log = readableLog()
  readonly busErrors: unknown[] = []
  readonly bus: Bus
  readonly gateway: Gateway
  readonly commands: Commands
  readonly store: Store
  /** Why a session is not allowed any more, the test's to say. */
  denial: (sessionId: string) => string | undefined | Promise<string | undefined> = () => undefined
  /** Sessions that were decided again, in turn. */
  readonly decided: string[] = []
  /** Nodes that may not be online, and why, the test's to say. */
  readonly lacking = new Map<string, string>()

  constructor(
    store: Store,
    clock = new ManualClock(),
    expiredCredentials: GatewayOptions['expiredCredentials'] = 'let-run',
  ) {
    this.store = store
    this.clock = clock
    this.bus = openMemoryBus({ onError: error => this.busErrors.push(error) })
    const { bus, log } = this
    const common = { scope, serverId: 'server-1', store, bus, crypto: nodeCrypto, clock, timing }
    const authority = {
      denial: async ({ sessionId }: Session) => {
        this.decided.push(sessionId)
        return await this.denial(sessionId)
      },
    }
    const nodeRoles = {
      missingAmong: async (nodes: readonly { nodeId: string }[]) => {
        const lacking = nodes.filter(({ nodeId }) => this.lacking.has(nodeId))
        const lack = (nodeId: string) => ({ why: this.lacking.get(nodeId) ?? '', actions: [] })
        return new Map(lacking.map(({ nodeId }) => [nodeId, lack(nodeId)]))
      },
    }
    this.commands = new Commands({ store, bus, scope, clock, logger: log.logger })
    const { commands } = this
    const parts = { ...common, logger: log.logger, authority, nodeRoles, expiredCredentials, commands }
    this.gateway = new Gateway(parts)
  }

  /** RegisterManagedInstance */
  async node(): Promise<string> {
    const nodeId = `mi-${randomUUID().replaceAll('-', '').slice(0, 17)}`
    await this.store.nodes.insert(scope, {
      nodeId,
      kind: 'managed-instance',
      publicKey: 'k',
      fingerprint: 'f',
      registeredAt: this.clock.now(),
    })
    return nodeId
  }

  async online(nodeId: string): Promise<FakeConnection> {
    const connection = new FakeConnection()
    await this.gateway.attachNode(nodeId, connection)
    return connection
  }

  /** StartSession */
  async start(nodeId: string, more: Partial<NewSession> = {}, publish = true): Promise<Session> {
    const sessionId = `alice-${randomUUID()}`
    const now = this.clock.now()
    const payload = { DocumentName: 'd', SessionId: sessionId, DocumentContent: {} }
    const taskId = randomUUID()
    const task = { taskId, nodeId, kind: 'start-session' as const, sessionId, payload, createdAt: now }
    const session = await this.store.sessions.insertWithTask(
      scope,
      {
        sessionId,
        nodeId,
        ownerArn: 'arn:aws:iam::123456789012:user/alice',
        ownerUserId: 'AIDAALICE',
        documentName: 'd',
        documentVersion: '1',
        documentContent: { sessionType: 'Standard_Stream' },
        parameters: {},
        startedAt: now,
        idleTimeoutMs: 1_200_000,
        ...more,
      },
      task,
    )
    if (publish) await this.bus.publish(nodeSubject(scope, nodeId), { type: 'tasks' })
    return session
  }

  /** TerminateSession */
  async terminate({ sessionId, nodeId }: Session, publish = true): Promise<void> {
    const now = this.clock.now()
    const kind = 'end-session' as const
    const task = { taskId: randomUUID(), nodeId, kind, sessionId, payload: {}, createdAt: now }
    await this.store.sessions.end(scope, sessionId, { status: 'Terminated', now, task })
    if (!publish) return
    await this.bus.publish(sessionSubject(scope, sessionId), { type: 'ended', output: '' })
    await this.bus.publish(nodeSubject(scope, nodeId), { type: 'tasks' })
  }

  attach(session: Session, role: Role): FakeConnection {
    const connection = new FakeConnection()
    this.gateway.attachSession(session, role, connection)
    return connection
  }

  async session({ sessionId }: Session): Promise<Session | undefined> {
    return await this.store.sessions.get(scope, sessionId)
  }

  async status(session: Session): Promise<string | undefined> {
    return (await this.session(session))?.status
  }

  async tasks(nodeId: string): Promise<string[]> {
    return (await this.store.tasks.listForNode(scope, nodeId)).map(({ kind }) => kind)
  }

  async isOnline(nodeId: string): Promise<boolean | undefined> {
    return (await this.store.nodes.get(scope, nodeId))?.connected
  }
}

/** agent_task_complete */
export function result(session: Session, status = 'Success', text = ''): Uint8Array {
  return word('agent_task_complete', {
    SchemaVersion: 1,
    TaskId: session.sessionId,
    Topic: 'agent_task_complete',
    FinalTaskStatus: status,
    Output: text,
  })
}

/** agent_sessions */
export function agentSessions(...sessionIds: string[]): Uint8Array {
  return word('agent_sessions', { SessionIds: sessionIds })
}

/** What a connection was told at the end, for each session that it was told of. */
export function closings(
  connection: FakeConnection,
): Array<{ SessionId: string; Output?: string | undefined }> {
  const closed = connection.sent.map(decode).filter(({ messageType }) => messageType === 'channel_closed')
  return closed.map(({ payload }) => {
    const { SessionId, Output } = channelClosedPayload.decode(payload)
    return { SessionId, Output }
  })
}

/** One store for the tests of a file; each call gives a gateway over it, with a clock of its own unless it gets one. */
export function gateways(): (
  clock?: ManualClock,
  expiredCredentials?: GatewayOptions['expiredCredentials'],
) => GatewayForTest {
  let opened: Awaited<ReturnType<typeof temporaryStore>>
  beforeAll(async () => {
    opened = await temporaryStore()
  })
  afterAll(() => opened.dispose())
  return (...options) => new GatewayForTest(opened.store, ...options)
}
