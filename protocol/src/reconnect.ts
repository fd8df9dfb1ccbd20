import type { Crypto } from './crypto.ts'

export type Backoff = {
  /** The first wait is anything up to this, ms. */
  initial: number
  /** No wait is longer, ms. */
  cap: number
}

/** Control channels: DESIGN 6.10. A fleet that lost its server must not come back as one wave. */
export const CONTROL_CHANNEL_BACKOFF: Backoff = { initial: 500, cap: 30_000 }
/** Data channels: a person is waiting. */
export const DATA_CHANNEL_BACKOFF: Backoff = { initial: 50, cap: 5_000 }

const UINT32 = 2 ** 32

/** Full jitter: any wait between 0 and the doubled ceiling is equally likely. `attempt` counts from 0. */
export function reconnectDelay(crypto: Crypto, backoff: Backoff, attempt: number): number {
  const ceiling = Math.min(backoff.cap, backoff.initial * 2 ** attempt)
  const random = crypto.randomBytes(4)
  return (new DataView(random.buffer, random.byteOffset).getUint32(0) / UINT32) * ceiling
}
