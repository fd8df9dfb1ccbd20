import type { Clock } from '@sallyport/protocol/clock'
import type { Crypto } from '@sallyport/protocol/crypto'
import type { Bus, BusMessage } from '../bus/bus.ts'
import type { Logger } from '../logger.ts'
import type { Scope } from '../store/schema.ts'
import type { Store } from '../store/store.ts'

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
