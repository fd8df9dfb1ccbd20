import { describe, expect, test } from 'vitest'
import { fromHex } from './bytes.ts'
import { CONTROL_CHANNEL_BACKOFF, DATA_CHANNEL_BACKOFF, reconnectDelay } from './reconnect.ts'
import { nodeCrypto } from './transport/node-crypto.ts'

const drawing = (hex: string) => ({ ...nodeCrypto, randomBytes: () => fromHex(hex) })

describe('the delay before another attempt', () => {
  test('is anything from nothing to a ceiling that doubles up to the cap', () => {
    const attempts = [0, 1, 2, 5, 6, 7, 1_000, Number.MAX_SAFE_INTEGER]
    const delays = (hex: string) =>
      attempts.map(attempt => Math.round(reconnectDelay(drawing(hex), CONTROL_CHANNEL_BACKOFF, attempt)))
    expect(delays('00000000')).toEqual(attempts.map(() => 0))
    expect(delays('80000000')).toEqual([250, 500, 1_000, 8_000, 15_000, 15_000, 15_000, 15_000])
    expect(delays('ffffffff')).toEqual([500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000, 30_000])
  })

  test('spreads a fleet over the whole time, not around its middle', () => {
    const delays = Array.from({ length: 2_000 }, () => reconnectDelay(nodeCrypto, DATA_CHANNEL_BACKOFF, 20))
    for (let quarter = 0; quarter < 4; quarter++) {
      const within = delays.filter(delay => Math.floor((delay / DATA_CHANNEL_BACKOFF.cap) * 4) === quarter)
      expect(within.length).toBeGreaterThan(350)
    }
  })
})
