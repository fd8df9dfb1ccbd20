import { ManualClock } from '@sallyport/protocol/manual-clock'
import { expect, test } from 'vitest'
import { Half } from './half.ts'
import { HALF_LIMIT, QUEUE_LIMIT, SOCKET_LIMIT } from './session-memory.ts'
import { decode, FakeConnection, input, textOf } from './testing.ts'

const PING_EVERY = 30_000
const PONG_TIMEOUT = 10_000

function setUp() {
  const clock = new ManualClock()
  const frames: Uint8Array[] = []
  const rooms: boolean[] = []
  const lost: Array<[reason: string, left: boolean]> = []
  const half = new Half({
    role: 'agent',
    clock,
    pingEvery: PING_EVERY,
    pongTimeout: PONG_TIMEOUT,
    onFrame: frame => frames.push(frame),
    onRoom: room => rooms.push(room),
    onLost: (reason, left) => lost.push([reason, left]),
  })
  return { clock, half, frames, rooms, lost }
}

test('frames for an end that is away wait for it, in order', () => {
  const { half } = setUp()
  for (const text of ['one', 'two', 'three']) half.send(input(0, text))
  const connection = new FakeConnection()
  half.attach(connection)
  half.send(input(0, 'four'))
  expect(connection.sent.map(textOf)).toEqual(['one', 'two', 'three', 'four'])
  expect(half.bufferedBytes).toBe(0)
})

test('a connection that had ended before it was handed over takes none of them with it', () => {
  const { half, lost } = setUp()
  half.send(input(0, 'waits'))
  const dead = new FakeConnection()
  dead.lose()
  half.attach(dead)
  expect(half.connected).toBe(false)
  expect(lost).toEqual([['closed (1006)', false]])
  const connection = new FakeConnection()
  half.attach(connection)
  expect(connection.sent.map(textOf)).toEqual(['waits'])
})

test('more than so much is not wanted, until the end is back and has read it', () => {
  const { half, rooms } = setUp()
  const frame = input(0, 'x'.repeat(10_000))
  while (half.bufferedBytes <= QUEUE_LIMIT) half.send(frame)
  expect(rooms).toEqual([false])
  expect(half.congested).toBe(true)
  const connection = new FakeConnection()
  connection.bufferedBytes = SOCKET_LIMIT
  half.attach(connection)
  expect(connection.sent, 'its socket is full').toEqual([])
  expect(rooms).toEqual([false])
  connection.drainTo(SOCKET_LIMIT - 1)
  expect(connection.sent.length, 'this one takes all at once').toBeGreaterThan(QUEUE_LIMIT / 10_200)
  expect(rooms).toEqual([false, true])
})

test('a socket that takes nothing keeps one frame, the queue the rest, and the counterpart stops', () => {
  const { half, rooms } = setUp()
  const connection = new FakeConnection()
  half.attach(connection)
  connection.bufferedBytes = SOCKET_LIMIT
  for (let i = 0; i < 3; i++) half.send(input(i, 'x'.repeat(60_000)))
  expect(connection.sent).toEqual([])
  expect(rooms).toEqual([false])
  connection.lose()
  expect(rooms, 'what waits is still too much').toEqual([false])
  const next = new FakeConnection()
  half.attach(next)
  expect(next.sent.map(frame => decode(frame).sequenceNumber)).toEqual([0, 1, 2])
  expect(rooms).toEqual([false, true])
})

test('an end that is closed while it is full lets its counterpart go on', () => {
  const { half, rooms } = setUp()
  const connection = new FakeConnection()
  half.attach(connection)
  connection.bufferedBytes = QUEUE_LIMIT + 1
  half.send(input(0))
  half.close(1002, 'violation')
  expect(rooms).toEqual([false, true])
})

test('frames are withheld from an end that is there, in order', () => {
  const { half } = setUp()
  const connection = new FakeConnection()
  half.attach(connection)
  half.send(input(0, 'one'))
  half.withhold(true)
  half.send(input(1, 'two'))
  half.sendIfConnected(input(2, 'three'))
  connection.drainTo(0)
  expect(connection.sent.map(textOf)).toEqual(['one'])
  half.withhold(false)
  half.send(input(3, 'four'))
  expect(connection.sent.map(textOf)).toEqual(['one', 'two', 'three', 'four'])
})

test('an end that does not read and is told ever more is dropped, with what waited for it', () => {
  const { half, rooms, lost } = setUp()
  const connection = new FakeConnection()
  half.attach(connection)
  connection.bufferedBytes = SOCKET_LIMIT
  const frame = input(0, 'x'.repeat(10_000))
  while (lost.length === 0 && half.bufferedBytes < 10 * HALF_LIMIT) half.send(frame)
  expect(lost).toEqual([[`does not read: more than ${HALF_LIMIT} bytes wait for it`, false]])
  expect(connection.closedWith?.code).toBe(1006)
  expect(half.bufferedBytes).toBe(0)
  expect(rooms).toEqual([false, true])
})

test('a slow socket pins no reads that its small frames are views of', () => {
  const { half } = setUp()
  const connection = new FakeConnection()
  half.attach(connection)
  const read = (text: string) => {
    const bytes = new Uint8Array(65_536)
    const frame = input(0, text)
    bytes.set(frame, 1000)
    return bytes.subarray(1000, 1000 + frame.length)
  }
  const pinned = () =>
    [...new Set(connection.sent.map(frame => frame.buffer))].reduce(
      (sum, buffer) => sum + buffer.byteLength,
      0,
    )
  half.send(read('first'))
  connection.bufferedBytes = 10_000
  for (let i = 0; i < 100; i++) half.send(read('more'))
  expect(connection.sent.map(textOf)).toEqual(['first', ...Array(100).fill('more')])
  expect(pinned()).toBeLessThan(65_536 + 100 * 200)
})

test('an end that is held is not read, and neither is the socket that replaces its own', () => {
  const { half } = setUp()
  const first = new FakeConnection()
  half.attach(first)
  half.hold(true)
  expect(first.paused).toBe(true)
  const second = new FakeConnection()
  half.attach(second)
  expect(second.paused).toBe(true)
  half.hold(false)
  expect(second.paused).toBe(false)
})

test('a newer socket replaces an older one, which has no say any more', async () => {
  const { half, frames, lost } = setUp()
  const [first, second] = [new FakeConnection(), new FakeConnection()]
  half.attach(first)
  half.attach(second)
  expect(first.closedWith).toEqual({ code: 1000, reason: 'replaced by a newer connection' })
  first.receive(input(0, 'from the grave'))
  await Promise.resolve()
  expect(frames).toEqual([])
  expect(lost).toEqual([])
  second.receive(input(0, 'alive'))
  expect(frames.map(textOf)).toEqual(['alive'])
})

test('a goodbye is told from a broken connection', () => {
  const { half, lost } = setUp()
  const [first, second] = [new FakeConnection(), new FakeConnection()]
  half.attach(first)
  first.lose(1000, 'done')
  half.attach(second)
  second.lose(1006)
  expect(lost).toEqual([
    ['done', true],
    ['closed (1006)', false],
  ])
})

test('a silent connection is dropped; one that is held has no chance to speak', () => {
  const { half, clock, lost } = setUp()
  const connection = new FakeConnection()
  half.attach(connection)
  half.hold(true)
  clock.advance(10 * (PING_EVERY + PONG_TIMEOUT))
  expect(lost).toEqual([])
  clock.advance(PING_EVERY)
  half.hold(false)
  clock.advance(PONG_TIMEOUT)
  expect(lost, 'it was read again a moment ago').toEqual([])
  clock.advance(PING_EVERY + PONG_TIMEOUT)
  expect(lost).toEqual([['no answer to a ping', false]])
  expect(connection.closedWith?.code).toBe(1006)
  expect(clock.pending).toBe(0)
})

test('a close leaves no timer behind', () => {
  const { half, clock } = setUp()
  half.attach(new FakeConnection())
  half.attach(new FakeConnection())
  half.close(1000, '')
  expect(clock.pending).toBe(0)
})
