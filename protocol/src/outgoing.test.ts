import { describe, expect, test } from 'vitest'
import { ManualClock } from './manual-clock.ts'
import { Outgoing, type SendLimits } from './outgoing.ts'

const LIMITS: SendLimits = { payload: 10, window: 100, messages: 8, minimumRto: 0, maximumRto: 1_000 }
const FRAME_SIZE = 10

/** An `Outgoing` whose frames are their own numbers, and what it put on the wire since last asked. */
function start(limits: Partial<SendLimits> = {}) {
  const clock = new ManualClock()
  let sent: number[] = []
  const outgoing = new Outgoing({ ...LIMITS, ...limits }, frame => sent.push(frame[0] ?? -1), clock.now)
  const push = (count: number) => {
    for (let i = 0; i < count; i++)
      outgoing.push(new Uint8Array(FRAME_SIZE).fill(outgoing.nextSequenceNumber))
  }
  const take = () => {
    const taken = sent
    sent = []
    return taken
  }
  /** Ticks as a link does, for so long; answers what went out. */
  const wait = (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += 50) {
      clock.advance(50)
      outgoing.tick()
    }
    return take()
  }
  return { outgoing, clock, push, take, wait }
}

describe('the window', () => {
  test('is full by bytes or by messages, and never stops what must go out', () => {
    const { outgoing, push, take } = start()
    outgoing.open()
    push(7)
    expect(outgoing.writable).toBe(true)
    push(1)
    expect(outgoing.writable).toBe(false)
    push(2)
    expect(outgoing.bufferedBytes).toBe(100)
    expect(take()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    outgoing.acknowledge(0, 2)
    expect(outgoing.writable).toBe(true)
    expect(outgoing.bufferedBytes).toBe(70)
  })

  test('a producer that ignores it is stopped at twice its size', () => {
    const { outgoing, push } = start()
    expect(() => push(30)).toThrow(expect.objectContaining({ code: 'buffer-overflow' }))
    expect(outgoing.bufferedBytes).toBe(210)
  })

  test('every byte is accounted for, in whatever order the acknowledgements come', () => {
    const { outgoing, push } = start()
    outgoing.open()
    push(6)
    for (const number of [5, 0, 3, 3, 1, 4, 2, 2]) outgoing.acknowledge(number)
    expect(outgoing.bufferedBytes).toBe(0)
    expect(outgoing.drained).toBe(true)
    expect(outgoing.underWay).toBe(false)
  })
})

describe('acknowledgements that make no sense are ignored', () => {
  test.each([[-1], [2.5], [99], [Number.MAX_VALUE], [Number.NaN], [-0.5]])('of message %d', number => {
    const { outgoing, push, take } = start()
    outgoing.open()
    push(3)
    take()
    outgoing.acknowledge(number)
    expect(outgoing.bufferedBytes).toBe(30)
    expect(take()).toEqual([])
  })

  test('of what was never sent', () => {
    const { outgoing, push, take } = start()
    push(3)
    outgoing.acknowledge(0, 99)
    expect(outgoing.bufferedBytes).toBe(30)
    outgoing.open()
    expect(take()).toEqual([0, 1, 2])
  })

  test('cumulative ones beyond the end, or between two numbers, reach no further than what was sent', () => {
    const { outgoing, push, take } = start()
    outgoing.open()
    push(3)
    outgoing.acknowledge(-1, 1.5)
    expect(outgoing.bufferedBytes).toBe(10)
    outgoing.acknowledge(-1, Number.MAX_VALUE)
    expect(outgoing.drained).toBe(true)
    take()
    push(2)
    expect(take()).toEqual([3, 4])
    expect(outgoing.drained).toBe(false)
  })

  test('a flood of them costs nothing and sends nothing', () => {
    const { outgoing, push, take, wait } = start()
    outgoing.open()
    push(8)
    wait(250)
    take()
    outgoing.hold()
    push(2)
    outgoing.release()
    take()
    for (let i = 0; i < 100_000; i++) outgoing.acknowledge(1e15, i % 2 === 0 ? -1 : -5)
    expect(take()).toEqual([])
    expect(outgoing.bufferedBytes).toBe(100)
  })
})

describe('what is lost goes out again', () => {
  test('after the time-out, and then half as often each time', () => {
    const { outgoing, push, take, wait } = start()
    outgoing.open()
    push(1)
    take()
    expect(wait(200)).toEqual([])
    expect(wait(50)).toEqual([0])
    expect(wait(400)).toEqual([])
    expect(wait(50)).toEqual([0])
    expect(wait(60_000).length).toBeLessThanOrEqual(60)
  })

  test('a lost window comes back in a few round trips, not at one message per time-out', () => {
    const { outgoing, clock, push, take } = start({ messages: 100, window: 1_000 })
    outgoing.open()
    push(64)
    take()
    clock.advance(250)
    outgoing.tick()
    let rounds = 0
    for (let answered = take(); answered.length > 0; answered = take(), rounds++) {
      clock.advance(20)
      for (const number of answered) outgoing.acknowledge(number)
    }
    expect(rounds).toBe(7)
    expect(outgoing.drained).toBe(true)
  })

  test('what is not overdue is left alone, although something older is', () => {
    const { outgoing, clock, push, take, wait } = start()
    outgoing.open()
    push(1)
    clock.advance(200)
    push(3)
    take()
    expect(wait(50)).toEqual([0])
    outgoing.acknowledge(1)
    expect(take()).toEqual([])
  })

  test('recovery is over with what was under way at the time-out; the rest has a time-out of its own', () => {
    const { outgoing, clock, push, take, wait } = start()
    outgoing.open()
    push(2)
    wait(250)
    push(2)
    take()
    outgoing.acknowledge(0)
    expect(take()).toEqual([1])
    clock.advance(300)
    outgoing.acknowledge(1)
    expect(take()).toEqual([])
  })

  test('one whose acknowledgement never comes takes turns with the others', () => {
    const { outgoing, push, take, wait } = start()
    outgoing.open()
    push(3)
    take()
    const resent = wait(10_000)
    expect(resent.slice(0, 6)).toEqual([0, 1, 2, 0, 1, 2])
  })

  test('a clock that is set back does not stop it', () => {
    const { outgoing, clock, push, take, wait } = start()
    outgoing.open()
    push(2)
    take()
    clock.setBack(3_600_000)
    expect(wait(2_000)).toContain(0)
    outgoing.acknowledge(1)
    outgoing.acknowledge(0)
    push(1)
    take()
    expect(wait(1_100)).toEqual([2])
  })

  test('an agreed minimum keeps a slow link from looking like loss', () => {
    const { outgoing, push, take, wait } = start()
    outgoing.limits = { ...LIMITS, minimumRto: 1_000, maximumRto: 10_000 }
    outgoing.open()
    push(1)
    take()
    expect(wait(1_000)).toEqual([])
    expect(wait(50)).toEqual([0])
  })
})

describe('connections that come and go', () => {
  test('a new one gets everything unacknowledged once, in order, before anything new', () => {
    const { outgoing, push, take, wait } = start()
    outgoing.open()
    push(5)
    wait(300)
    outgoing.acknowledge(2)
    outgoing.hold()
    push(2)
    take()
    expect(wait(60_000)).toEqual([])
    outgoing.open()
    expect(take()).toEqual([0, 1, 3, 4, 5, 6])
    expect(wait(150)).toEqual([])
  })

  test('patience that an old one used up is back for a new one', () => {
    const { outgoing, push, take, wait } = start({ maximumRto: 10_000 })
    outgoing.open()
    push(1)
    wait(20_000)
    outgoing.hold()
    outgoing.open()
    take()
    expect(wait(250)).toEqual([0])
  })

  test('a pause that ends by itself sends what waited, and repeats nothing', () => {
    const { outgoing, push, take } = start()
    outgoing.open()
    push(2)
    outgoing.hold()
    push(1)
    take()
    expect(outgoing.held).toBe(true)
    expect(outgoing.underWay).toBe(false)
    outgoing.release()
    expect(take()).toEqual([2])
  })

  test('a wire that answers within the call confuses nothing', () => {
    const sent: number[] = []
    const outgoing: Outgoing = new Outgoing(
      LIMITS,
      frame => {
        const number = frame[0] ?? -1
        sent.push(number)
        outgoing.acknowledge(number)
        if (outgoing.nextSequenceNumber < 5)
          outgoing.push(new Uint8Array(1).fill(outgoing.nextSequenceNumber))
      },
      () => 1,
    )
    outgoing.push(Uint8Array.of(0))
    outgoing.push(Uint8Array.of(1))
    outgoing.open()
    expect(sent).toEqual([0, 1, 2, 3, 4])
    expect(outgoing.drained).toBe(true)
  })
})
