import { describe, expect, test } from 'vitest'
import { type ChannelClaim, ChannelTokens, hashClientToken, newClientToken } from './channel-tokens.ts'

const NOW = 1_700_000_000_000
const LIFETIME = 60_000
const claim: ChannelClaim = { kind: 'data', channelId: 'alice-1', nodeId: 'mi-1' }
const tokens = new ChannelTokens(new Uint8Array(32).fill(1))

describe("an agent's token", () => {
  test('opens its own channel for a minute', () => {
    const token = tokens.issue(claim, NOW)
    expect(tokens.check(token, claim, NOW)).toBe(true)
    expect(tokens.check(token, claim, NOW + LIFETIME - 1)).toBe(true)
    expect(tokens.check(token, claim, NOW + LIFETIME)).toBe(false)
  })

  test('opens no other channel, for no other node', () => {
    const token = tokens.issue(claim, NOW)
    const others: ChannelClaim[] = [
      { ...claim, kind: 'control' },
      { ...claim, channelId: 'alice-2' },
      { ...claim, nodeId: 'mi-2' },
      { kind: 'data', channelId: 'mi-1', nodeId: 'alice-1' },
    ]
    for (const other of others) expect(tokens.check(token, other, NOW)).toBe(false)
  })

  test('opens nothing when a bit of it was changed, or it was made with another key', () => {
    const bytes = Buffer.from(tokens.issue(claim, NOW), 'base64url')
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(tokens.check(changed.toString('base64url'), claim, NOW), `${at}`).toBe(false)
    }
    const strange = new ChannelTokens(new Uint8Array(32).fill(2)).issue(claim, NOW)
    expect(tokens.check(strange, claim, NOW)).toBe(false)
  })

  test.each(['', 'x', 'A'.repeat(42), 'A'.repeat(43), 'ä€', `${'A'.repeat(43)}{}`])('is not %j', text => {
    expect(tokens.check(text, claim, NOW)).toBe(false)
  })

  test('is never the same twice, and short enough for stock agents', () => {
    const all = Array.from({ length: 100 }, () => tokens.issue({ ...claim, channelId: 'x'.repeat(96) }, NOW))
    expect(new Set(all).size).toBe(100)
    for (const token of all) expect(token).toMatch(/^[\w-]{1,300}$/)
  })
})

test("a client's token has more than 128 random bits, and its hash says nothing about it", () => {
  const all = Array.from({ length: 1000 }, newClientToken)
  expect(new Set(all.map(({ token }) => token)).size).toBe(1000)
  // Each bit of 384 is set about half of the time; 5 sigma of 1000 throws are 79.
  const bits = new Array<number>(384).fill(0)
  for (const { token, hash } of all) {
    expect(hash).toBe(hashClientToken(token))
    const bytes = Buffer.from(token, 'base64url')
    expect(bytes).toHaveLength(48)
    for (let i = 0; i < bits.length; i++) bits[i] = (bits[i] ?? 0) + (((bytes[i >> 3] ?? 0) >> (i & 7)) & 1)
  }
  for (const count of bits) expect(Math.abs(count - 500)).toBeLessThan(100)
})
