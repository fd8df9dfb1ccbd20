import { expect, test } from 'vitest'
import { RepeatedOutput } from './repeated-output.ts'

/** When, of repetitions every so many milliseconds, a message counts as read; undefined if never within a minute. */
function consumedAfter(repeated: RepeatedOutput, clock: { now: number }, every: number): number | undefined {
  const start = clock.now
  for (; clock.now - start <= 60_000; clock.now += every) {
    if (repeated.isConsumed(7)) return clock.now - start
  }
  return undefined
}

function scene() {
  const clock = { now: 0 }
  return { clock, repeated: new RepeatedOutput(() => clock.now) }
}

test('a reader that acknowledged something later has read what is repeated, though nothing more comes', () => {
  const { clock, repeated } = scene()
  repeated.clientAcknowledged(8)
  expect(consumedAfter(repeated, clock, 200)).toBe(4_200)
})

test('an agent that repeats once a second is believed as soon as one that hurries', () => {
  const { clock, repeated } = scene()
  repeated.clientAcknowledged(8)
  expect(consumedAfter(repeated, clock, 1_000)).toBe(5_000)
})

test('a reader that acknowledges nothing, or only what was before, may not have read it', () => {
  const { clock, repeated } = scene()
  repeated.clientAcknowledged(6)
  expect(consumedAfter(repeated, clock, 200)).toBeUndefined()
})
