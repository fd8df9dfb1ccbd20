import { describe, expect, test } from 'vitest'
import { AuthenticationGuesses, type Limited, networkOf } from './authentication-guesses.ts'
import { MAXIMUM_NAMES } from './guess-limit.ts'

const FROM_ONE_ADDRESS = 100
const ON_ONE_KEY = 500

function guesses() {
  const told: Limited[] = []
  return { told, guesses: new AuthenticationGuesses(about => told.push(about)) }
}

describe('wrong signatures', () => {
  test('are too many from one address after a hundred, then once per second', () => {
    const { told, guesses: limit } = guesses()
    for (let i = 0; i < FROM_ONE_ADDRESS; i++)
      expect(limit.failed('192.0.2.1', `AKIA${i}`, 0), `${i}`).toBe(false)
    expect(told).toEqual([{ address: '192.0.2.1' }])
    expect(limit.failed('192.0.2.1', 'AKIAX', 0)).toBe(true)
    expect(limit.failed('192.0.2.2', 'AKIAX', 0)).toBe(false)
    expect(limit.failed('192.0.2.1', 'AKIAX', 1_000)).toBe(false)
    expect(limit.failed('192.0.2.1', 'AKIAX', 1_000)).toBe(true)
  })

  test('are too many for one key, from wherever they come', () => {
    const { told, guesses: limit } = guesses()
    for (let i = 0; i < ON_ONE_KEY; i++)
      expect(limit.failed(`198.51.${i >> 8}.${i & 255}`, 'AKIA', 0)).toBe(false)
    expect(told).toEqual([{ accessKeyId: 'AKIA' }])
    expect(limit.failed('192.0.2.1', 'AKIA', 0)).toBe(true)
    expect(limit.failed('192.0.2.1', 'AKIB', 0)).toBe(false)
  })

  test('are told of once per minute', () => {
    const { told, guesses: limit } = guesses()
    const flood = (now: number) => {
      for (let i = 0; i <= FROM_ONE_ADDRESS; i++) limit.failed('192.0.2.1', `AKIA${i}`, now)
    }
    for (const now of [0, 30_000, 59_000]) flood(now)
    expect(told).toHaveLength(1)
    flood(500_000)
    expect(told).toHaveLength(2)
  })
})

describe('signatures of nodes', () => {
  test('are not verified from where too many were wrong, but for nodes that proved themselves there', () => {
    const { guesses: limit } = guesses()
    limit.nodeProved('192.0.2.1', 'mi-1')
    for (let i = 0; i < FROM_ONE_ADDRESS; i++) {
      expect(limit.mayBeNode('192.0.2.1', 'mi-2', 0)).toBe(true)
      limit.nodeFailed('192.0.2.1', 0)
    }
    expect(limit.mayBeNode('192.0.2.1', 'mi-2', 0)).toBe(false)
    expect(limit.mayBeNode('192.0.2.1', 'mi-1', 0)).toBe(true)
    expect(limit.mayBeNode('192.0.2.2', 'mi-2', 0)).toBe(true)
    expect(limit.failed('192.0.2.1', 'AKIA', 0)).toBe(false)
  })

  test('are remembered of so many nodes and no more', () => {
    const { guesses: limit } = guesses()
    for (let i = 0; i <= MAXIMUM_NAMES; i++) limit.nodeProved('192.0.2.1', `mi-${i}`)
    for (let i = 0; i < FROM_ONE_ADDRESS; i++) limit.nodeFailed('192.0.2.1', 0)
    expect(limit.mayBeNode('192.0.2.1', 'mi-0', 0)).toBe(false)
    expect(limit.mayBeNode('192.0.2.1', 'mi-1', 0)).toBe(true)
  })
})

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:DB8:0:1:ffff:2:3:4', '2001:db8:0:1::/64'],
  ['2001:db8:1:2:3::', '2001:db8:1:2::/64'],
  ['1::2:3:4:5:6:7', '1:0:2:3::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['', ''],
])('the network of %s is %s', (address, network) => {
  expect(networkOf(address)).toBe(network)
})
