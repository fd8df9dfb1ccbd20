import { describe, expect, test } from 'vitest'
import { Liveness } from './liveness.ts'
import { ManualClock } from './manual-clock.ts'
import { MemoryLink } from './transport/memory.ts'

const EVERY = 10_000
const TIMEOUT = 3_000

function start(options: { excused?: () => boolean } = {}) {
  const clock = new ManualClock()
  const link = new MemoryLink(clock)
  const [connection, far] = link.ends
  const heard: string[] = []
  const liveness = new Liveness({
    clock,
    connection,
    pingEvery: EVERY,
    pongTimeout: TIMEOUT,
    onDead: () => heard.push(`dead at ${clock.now() - started}`),
    ...options,
  })
  const started = clock.now()
  connection.events = {
    message: () => liveness.seen(),
    drain: () => {},
    pong: () => liveness.seen(),
    close: code => heard.push(`close ${code}`),
  }
  return { clock, link, liveness, heard, far }
}

describe('a connection', () => {
  test('that answers its pings lives for ever', () => {
    const { clock, heard, liveness } = start()
    clock.advance(3_600_000)
    expect(heard).toEqual([])
    liveness.stop()
    expect(clock.pending).toBe(0)
  })

  test('that is silent is dropped, and noticed, after one ping', () => {
    const { clock, link, heard } = start()
    clock.advance(EVERY / 2)
    link.silence()
    clock.advance(3_600_000)
    expect(heard).toEqual([`dead at ${EVERY + TIMEOUT}`, 'close 1006'])
    expect(clock.pending).toBe(0)
  })

  test('any message after the ping is a sign of life; one before it is none', () => {
    const { clock, link, heard, liveness } = start()
    clock.advance(EVERY - 1)
    link.silence()
    liveness.seen()
    clock.advance(TIMEOUT)
    liveness.seen()
    clock.advance(EVERY)
    expect(heard).toEqual([])
    clock.advance(TIMEOUT + 1)
    expect(heard.length).toBe(2)
  })

  test('that is not read for now is excused, until it is read again', () => {
    let paused = true
    const { clock, link, heard } = start({ excused: () => paused })
    link.silence()
    clock.advance(3_600_000)
    expect(heard).toEqual([])
    paused = false
    clock.advance(EVERY + TIMEOUT)
    expect(heard.length).toBe(2)
  })

  test('that is no longer watched leaves no timer, between pings or after one', () => {
    for (const when of [EVERY / 2, EVERY + 1]) {
      const { clock, liveness, heard, link } = start()
      link.silence()
      clock.advance(when)
      liveness.stop()
      clock.advance(3_600_000)
      expect(heard).toEqual([])
      expect(clock.pending).toBe(0)
    }
  })

  test('whose ping already shows that it is gone leaves no timer either', () => {
    const clock = new ManualClock()
    const [connection] = new MemoryLink(clock).ends
    let dead = 0
    const liveness: Liveness = new Liveness({
      clock,
      connection: Object.assign(Object.create(connection), { ping: () => liveness.stop() }),
      pingEvery: EVERY,
      pongTimeout: TIMEOUT,
      onDead: () => dead++,
    })
    clock.advance(3_600_000)
    expect([dead, clock.pending]).toEqual([0, 0])
  })
})
