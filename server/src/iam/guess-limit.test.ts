import { expect, test } from 'vitest'
import { ActivationGuesses, GuessLimit, MAXIMUM_NAMES } from './guess-limit.ts'

test('so many failures are free, then one per interval', () => {
  const limit = new GuessLimit(3, 1000)
  let now = 0
  for (let i = 0; i < 3; i++) {
    expect(limit.wait('a', now)).toBe(0)
    limit.failed('a', now)
  }
  expect(limit.wait('a', now)).toBe(1000)
  expect(limit.wait('b', now)).toBe(0)
  now = 999
  expect(limit.wait('a', now)).toBe(1)
  now = 1000
  expect(limit.wait('a', now)).toBe(0)
  limit.failed('a', now)
  expect(limit.wait('a', now)).toBe(1000)
  expect(limit.wait('a', 3_600_000)).toBe(0)
})

test('a clock that is set back makes nobody wait longer', () => {
  const limit = new GuessLimit(1, 1000)
  limit.failed('a', 1_000_000)
  expect(limit.wait('a', 0)).toBe(1000)
})

test('no more names are kept than the bound', () => {
  const limit = new GuessLimit(1, 1000)
  for (let i = 0; i < MAXIMUM_NAMES + 100; i++) limit.failed(`name ${i}`, 0)
  expect(limit.size).toBe(MAXIMUM_NAMES)
  expect(limit.wait(`name ${MAXIMUM_NAMES + 99}`, 0)).toBe(1000)
})

test('one address cannot lock an activation for others', () => {
  const guesses = new ActivationGuesses()
  let tries = 0
  for (; guesses.wait('192.0.2.1', 'activation', 0) === 0; tries++)
    guesses.failed('192.0.2.1', 'activation', 0)
  expect(tries).toBe(20)
  expect(guesses.wait('192.0.2.2', 'activation', 0)).toBe(0)
  for (let i = 0; i < 80; i++) guesses.failed(`198.51.100.${i}`, 'activation', 0)
  expect(guesses.wait('192.0.2.2', 'activation', 0)).toBeGreaterThan(0)
  expect(guesses.wait('192.0.2.2', 'another', 0)).toBe(0)
})
