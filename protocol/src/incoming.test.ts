import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { INCOMING_LIMIT, Incoming, MAXIMUM_AHEAD, type Reception } from './incoming.ts'
import type { Message } from './message.ts'
import { MessageType, PayloadType } from './message-types.ts'

const message = (sequenceNumber: number, size = 1): Message => ({
  messageType: MessageType.inputStreamData,
  createdDate: 1,
  sequenceNumber,
  flags: 0,
  messageId: '01234567-89ab-4cde-8f01-23456789abcd',
  payloadType: PayloadType.output,
  payload: new Uint8Array(size),
})

/** An `Incoming` with a consumer that is busy when `busy` says so. */
function start(busy: (sequenceNumber: number) => boolean = () => false) {
  const delivered: number[] = []
  const consumed: number[] = []
  const incoming = new Incoming(({ sequenceNumber }) => {
    if (busy(sequenceNumber)) return false
    delivered.push(sequenceNumber)
    return true
  })
  const receive = (number: number, size?: number): Reception =>
    incoming.receive(message(number, size), m => consumed.push(m.sequenceNumber))
  const resume = () => incoming.resume(m => consumed.push(m.sequenceNumber))
  return { incoming, delivered, consumed, receive, resume }
}

describe('order', () => {
  test('what comes too early waits for its turn; what comes twice is not handed over twice', () => {
    const { incoming, delivered, consumed, receive } = start()
    expect([0, 2, 3, 2, 0, 1, 1].map(number => receive(number))).toEqual([
      'consumed',
      'buffered',
      'buffered',
      'buffered',
      'duplicate',
      'consumed',
      'duplicate',
    ])
    expect(delivered).toEqual([0, 1, 2, 3])
    expect(consumed).toEqual(delivered)
    expect(incoming.bufferedBytes).toBe(0)
    expect(incoming.expected).toBe(4)
  })

  test('any order with any repetitions, and a consumer that is busy at times, give every message once', () => {
    const arrivals = fc.shuffledSubarray(
      Array.from({ length: 30 }, (_, i) => i % 15),
      { minLength: 30 },
    )
    fc.assert(
      fc.property(arrivals, fc.infiniteStream(fc.boolean()), (numbers, busy) => {
        const { incoming, delivered, consumed, receive, resume } = start(() => busy.next().value === true)
        for (const number of numbers) {
          receive(number)
          resume()
        }
        while (incoming.expected < 15) resume()
        expect(delivered).toEqual(Array.from({ length: 15 }, (_, i) => i))
        expect(consumed).toEqual(delivered)
        expect(incoming.bufferedBytes).toBe(0)
      }),
    )
  })
})

describe('a busy consumer', () => {
  test('gets nothing until it asks, and the sender hears of nothing', () => {
    let busy = true
    const { delivered, consumed, receive, resume } = start(() => busy)
    expect([0, 1, 0, 2].map(number => receive(number))).toEqual(['blocked', 'blocked', 'blocked', 'blocked'])
    busy = false
    expect(receive(3)).toBe('blocked')
    expect(delivered).toEqual([])
    resume()
    expect(delivered).toEqual([0, 1, 2, 3])
    expect(consumed).toEqual(delivered)
  })

  test('that asks for more while it is handed something does not get that twice', () => {
    const delivered: number[] = []
    const ignore = () => {}
    const incoming: Incoming = new Incoming(({ sequenceNumber }) => {
      incoming.resume(ignore)
      delivered.push(sequenceNumber)
      return true
    })
    for (const number of [1, 2, 0, 3]) incoming.receive(message(number), ignore)
    expect(delivered).toEqual([0, 1, 2, 3])
  })

  test('makes the connection wait long before anything must be refused', () => {
    let busy = true
    const { incoming, receive, resume } = start(() => busy)
    for (let number = 0; number < 1_100; number++) expect(receive(number, 1024)).toBe('blocked')
    expect(incoming.congested).toBe(true)
    busy = false
    resume()
    expect(incoming.congested).toBe(false)
  })

  test('is the only reason for that: a message that is missing must find its way in', () => {
    const { incoming, receive } = start()
    for (let number = 1; number < MAXIMUM_AHEAD; number++) receive(number, 400)
    expect(incoming.congested).toBe(false)
  })
})

describe('limits', () => {
  test('a gap beyond any honest one is refused, and costs nothing', () => {
    const { incoming, receive } = start()
    for (const number of [MAXIMUM_AHEAD + 1, 2 ** 40, Number.MAX_SAFE_INTEGER])
      expect(receive(number)).toBe('refused')
    expect(receive(MAXIMUM_AHEAD)).toBe('buffered')
    expect(incoming.bufferedBytes).toBe(1)
  })

  test('bytes before their turn are bounded, and the one in turn always finds room', () => {
    const { incoming, delivered, receive } = start()
    const size = INCOMING_LIMIT / 4
    expect([1, 2, 3, 4, 5].map(number => receive(number, size))).toEqual([
      'buffered',
      'buffered',
      'buffered',
      'buffered',
      'refused',
    ])
    expect(incoming.bufferedBytes).toBe(INCOMING_LIMIT)
    expect(receive(0, size)).toBe('consumed')
    expect(delivered).toEqual([0, 1, 2, 3, 4])
    expect(receive(5, size)).toBe('consumed')
  })

  test('a small message that waits keeps no large buffer alive that it came in', () => {
    const kept: number[] = []
    const incoming = new Incoming(({ payload }) => kept.push(payload.buffer.byteLength) > 0)
    const piece = (number: number) => ({ ...message(number), payload: new Uint8Array(65_536).subarray(7, 8) })
    for (const number of [1, 2, 0]) incoming.receive(piece(number), () => {})
    expect(kept).toEqual([65_536, 1, 1])
  })

  test('what was refused is taken when its sender repeats it', () => {
    let busy = true
    const { delivered, receive, resume } = start(() => busy)
    for (let number = 0; number < 5; number++) receive(number, INCOMING_LIMIT / 4)
    busy = false
    resume()
    expect(receive(4)).toBe('consumed')
    expect(delivered).toEqual([0, 1, 2, 3, 4])
  })
})

test('an error of the consumer leaves the message where it is', () => {
  let broken = true
  const delivered: number[] = []
  const incoming = new Incoming(({ sequenceNumber }) => {
    if (broken) throw new Error('broken')
    return delivered.push(sequenceNumber) > 0
  })
  expect(() => incoming.receive(message(0), () => {})).toThrow('broken')
  broken = false
  incoming.receive(message(1), () => {})
  expect(delivered).toEqual([0, 1])
})
