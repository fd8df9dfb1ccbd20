import { ManualClock } from '@sallyport/protocol/manual-clock'
import { expect, test } from 'vitest'
import {
  CROWDED_HOLD_MS,
  FULLY_HELD_POLLS,
  HeldPolls,
  HOLD_MS,
  MAXIMUM_POLLS_PER_NODE,
} from './held-polls.ts'

const waiting = () => new AbortController().signal

/** A poll, and whether it was let go. */
async function hold(polls: HeldPolls, nodeId: string, gone = waiting()) {
  const poll = { over: false, held: polls.hold(nodeId, gone) }
  void poll.held.woken().then(woken => {
    poll.over = !woken
  })
  return poll
}
const settled = () => Promise.resolve().then(() => {})

test('a poll is held for fifteen seconds, and leaves nothing behind', async () => {
  const clock = new ManualClock()
  const polls = new HeldPolls(clock)
  const poll = await hold(polls, 'mi-1')
  await clock.play(HOLD_MS - 1)
  expect(poll.over).toBe(false)
  await clock.play(1)
  expect(poll.over).toBe(true)
  expect([polls.size, clock.pending]).toEqual([0, 0])
})

test('a poll ends when its caller has gone, and does not begin for one who has', async () => {
  const clock = new ManualClock()
  const polls = new HeldPolls(clock)
  const caller = new AbortController()
  const poll = await hold(polls, 'mi-1', caller.signal)
  caller.abort()
  await settled()
  expect(poll.over).toBe(true)
  expect(await polls.hold('mi-1', caller.signal).woken()).toBe(false)
  expect([polls.size, clock.pending]).toEqual([0, 0])
})

test('a poll is woken as often as there may be something to tell, also while nobody listens', async () => {
  const clock = new ManualClock()
  const poll = new HeldPolls(clock).hold('mi-1', waiting())
  poll.wake()
  poll.wake()
  expect(await poll.woken()).toBe(true)
  const again = poll.woken()
  poll.wake()
  expect(await again).toBe(true)
  // However often: the time goes on from where it began.
  await clock.play(HOLD_MS)
  expect(await poll.woken()).toBe(false)
  poll.wake()
  expect(await poll.woken()).toBe(false)
  poll.end()
  expect(clock.pending).toBe(0)
})

test('a poll is woken after a while if that was asked for, and leaves no timer behind', async () => {
  const clock = new ManualClock()
  const poll = new HeldPolls(clock).hold('mi-1', waiting())
  const after = poll.woken(100)
  await clock.play(100)
  expect([await after, clock.pending]).toEqual([true, 1])
  const earlier = poll.woken(100)
  poll.wake()
  expect([await earlier, clock.pending]).toEqual([true, 1])
  const never = poll.woken(HOLD_MS)
  poll.end()
  expect([await never, clock.pending]).toEqual([false, 0])
})

test('all polls end with the server, and none begins after', async () => {
  const clock = new ManualClock()
  const polls = new HeldPolls(clock)
  const held = await Promise.all(['mi-1', 'mi-2'].map(node => hold(polls, node)))
  polls.close()
  await settled()
  expect(held.map(({ over }) => over)).toEqual([true, true])
  expect(await polls.hold('mi-1', waiting()).woken()).toBe(false)
  expect([polls.size, clock.pending]).toEqual([0, 0])
})

test('of too many polls of one node the oldest is let go', async () => {
  const polls = new HeldPolls(new ManualClock())
  const other = await hold(polls, 'mi-2')
  const held = []
  for (let i = 0; i <= MAXIMUM_POLLS_PER_NODE; i++) held.push(await hold(polls, 'mi-1'))
  await settled()
  expect(held.map(({ over }) => over)).toEqual([true, ...Array(MAXIMUM_POLLS_PER_NODE).fill(false)])
  expect(other.over).toBe(false)
  expect(polls.size).toBe(MAXIMUM_POLLS_PER_NODE + 1)
})

test("of too many in all each new one is held for a second, at nobody's expense", async () => {
  const clock = new ManualClock()
  const polls = new HeldPolls(clock)
  const first = await hold(polls, 'mi-0')
  for (let i = 1; i < FULLY_HELD_POLLS; i++) polls.hold(`mi-${i}`, waiting())
  const late = await Promise.all(['mi-a', 'mi-b'].map(node => hold(polls, node)))
  await clock.play(CROWDED_HOLD_MS - 1)
  expect(late.map(({ over }) => over)).toEqual([false, false])
  await clock.play(1)
  expect(late.map(({ over }) => over)).toEqual([true, true])
  expect([first.over, polls.size]).toEqual([false, FULLY_HELD_POLLS])
  polls.close()
  expect(clock.pending).toBe(0)
  await settled()
  expect(first.over).toBe(true)
})
