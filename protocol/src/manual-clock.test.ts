import { expect, test } from 'vitest'
import { ManualClock } from './manual-clock.ts'

test('timers run in the order of their time, at that time, with what they set up', () => {
  const clock = new ManualClock(1_000)
  const seen: string[] = []
  const note = (what: string) => () => seen.push(`${what} ${clock.now()}`)
  clock.after(20, note('b'))
  clock.after(10, () => {
    note('a')()
    clock.after(10, note('c'))
    clock.soon(note('soon'))
  })
  clock.after(40, note('later'))
  clock.advance(30)
  expect(seen).toEqual(['a 1010', 'soon 1010', 'b 1020', 'c 1020'])
  expect(clock.now()).toBe(1_030)
  expect(clock.pending).toBe(1)
})

test('a cancelled timer does not run, and cancelling late or twice harms no other', () => {
  const clock = new ManualClock()
  const seen: string[] = []
  const cancel = clock.after(10, () => seen.push('cancelled'))
  const cancelLate = clock.after(5, () => seen.push('early'))
  clock.after(10, () => seen.push('kept'))
  cancel()
  cancel()
  clock.advance(7)
  cancelLate()
  clock.advance(10)
  expect(seen).toEqual(['early', 'kept'])
  expect(clock.pending).toBe(0)
})

test('promises settle before time goes on', async () => {
  const clock = new ManualClock(0)
  const seen: number[] = []
  const wait = (milliseconds: number) => new Promise<void>(resolve => clock.after(milliseconds, resolve))
  const run = async () => {
    for (let i = 0; i < 3; i++) {
      await wait(10)
      seen.push(clock.now())
    }
  }
  const done = run()
  await clock.play(100)
  await done
  expect(seen).toEqual([10, 20, 30])
})

test('setting the time back leaves timers their wait', () => {
  const clock = new ManualClock(10_000)
  let ran = false
  clock.after(50, () => {
    ran = true
  })
  clock.setBack(5_000)
  expect(clock.now()).toBe(5_000)
  clock.advance(49)
  expect(ran).toBe(false)
  clock.advance(1)
  expect(ran).toBe(true)
})

test('a step of the time is none of the monotonic clock', () => {
  const clock = new ManualClock()
  const began = clock.monotonic()
  clock.advance(1000)
  clock.setBack(3_600_000)
  clock.advance(500)
  expect(clock.monotonic() - began).toBe(1500)
})
