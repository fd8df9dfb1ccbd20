import type { Clock } from '@sallyport/protocol/clock'
import type { Crypto } from '@sallyport/protocol/crypto'
import type { Bus, BusMessage } from '../bus/bus.ts'
import type { NodeRoles } from '../iam/node-roles.ts'
import type { Logger } from '../logger.ts'
import type { Scope } from '../store/schema.ts'
import type { Session } from '../store/sessions.ts'
import type { Store } from '../store/store.ts'
import type { NodeCommands } from './command-channel.ts'

/** Times in milliseconds. */
export type GatewayTiming = {
  sessionStartTimeoutMs: number
  clientPingMs: number
  pongTimeoutMs: number
  presenceGraceMs: number
}

export type GatewayOptions = {
  scope: Scope
  /** This server's name in the store, the same after a restart. */
  serverId: string
  store: Store
  bus: Bus
  crypto: Crypto
  clock: Clock
  logger: Logger
  timing: GatewayTiming
  authority: SessionAuthority
  nodeRoles: OnlineRules
  commands: NodeCommands
  /** Whether a session ends when the credentials expire that it was started with. AWS lets it run. */
  expiredCredentials: 'let-run' | 'end'
}

/** Decides which nodes may not be online, and why. */
export type OnlineRules = Pick<NodeRoles, 'missingAmong'>

/** Decides whether what was allowed when a session started still is. */
export type SessionAuthority = {
  /** Why the session is not allowed any more, undefined if it is. */
  denial(session: Session): Promise<string | undefined>
}

export const GOING_AWAY_CLOSE = 1001

export function eventType(message: BusMessage): string {
  return eventText(message, 'type')
}

/** A member of an event; empty if it is not there. */
export function eventText(message: BusMessage, member: string): string {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return ''
  const value = message[member]
  return typeof value === 'string' ? value : ''
}

/** Whether an event has the member, as true. */
export function eventFlag(message: BusMessage, member: string): boolean {
  return (
    typeof message === 'object' && message !== null && !Array.isArray(message) && message[member] === true
  )
}
