import { ManualClock } from '@sallyport/protocol/manual-clock'
import { expect, test } from 'vitest'
import { Half, QUEUE_LIMIT, SOCKET_HIGH_WATER } from './half.ts'
import { FakeConnection, input, textOf } from './testing.ts'

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

test('more than a megabyte is not wanted, until the end is back and has read it', () => {
  const { half, rooms } = setUp()
  const frame = input(0, 'x'.repeat(100_000))
  while (half.bufferedBytes <= QUEUE_LIMIT) half.send(frame)
  expect(rooms).toEqual([false])
  const connection = new FakeConnection()
  connection.bufferedBytes = QUEUE_LIMIT
  half.attach(connection)
  expect(rooms).toEqual([false])
  connection.drainTo(200_000)
  expect(rooms).toEqual([false])
  connection.drainTo(1000)
  expect(rooms).toEqual([false, true])
})

test('a socket that takes nothing stops its counterpart; its loss lets it go on', () => {
  const { half, rooms } = setUp()
  const connection = new FakeConnection()
  half.attach(connection)
  connection.bufferedBytes = SOCKET_HIGH_WATER + 1
  half.send(input(0))
  expect(rooms).toEqual([false])
  connection.lose()
  expect(rooms).toEqual([false, true])
})

test('an end that is closed while it is full lets its counterpart go on', () => {
  const { half, rooms } = setUp()
  const connection = new FakeConnection()
  half.attach(connection)
  connection.bufferedBytes = SOCKET_HIGH_WATER + 1
  half.send(input(0))
  half.close(1002, 'violation')
  expect(rooms).toEqual([false, true])
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
