import { ManualClock } from '@sallyport/protocol/manual-clock'
import { expect, test } from 'vitest'
import { openMemoryBus } from './memory.ts'
import { Passes } from './passes.ts'

function setUp(pass: () => Promise<void>) {
  const bus = openMemoryBus({ onError: () => {} })
  const clock = new ManualClock()
  const errors: unknown[] = []
  const onError = (error: unknown) => errors.push(error)
  const passes = new Passes({ bus, subject: 's', clock, pass, onError })
  // Events are delivered before the next turn of the loop.
  const publish = async (times = 1) => {
    for (let i = 0; i < times; i++) await bus.publish('s', null)
    await new Promise(setImmediate)
  }
  return { clock, errors, passes, publish }
}

/** A pass that ends when the test says. */
function heldPass() {
  const held: Array<() => void> = []
  return { held, pass: () => new Promise<void>(resolve => held.push(resolve)) }
}

const settled = () => new Promise(setImmediate)

test('many events at once are one pass', async () => {
  let count = 0
  const { clock, publish } = setUp(async () => void count++)
  await publish(100)
  expect(count).toBe(0)
  clock.advance(250)
  expect(count).toBe(1)
  clock.advance(10_000)
  expect(count).toBe(1)
})

test('what happens during a pass makes another one, after it', async () => {
  const { held, pass } = heldPass()
  const { clock, publish } = setUp(pass)
  await publish()
  clock.advance(250)
  await publish(2)
  clock.advance(10_000)
  expect(held).toHaveLength(1)
  held[0]?.()
  await settled()
  clock.advance(250)
  expect(held).toHaveLength(2)
  held[1]?.()
  await settled()
  clock.advance(10_000)
  expect(held).toHaveLength(2)
})

test('a pass that fails is told of and tried again', async () => {
  let fail = true
  let count = 0
  const { clock, errors, publish } = setUp(async () => {
    count++
    if (fail) throw new Error('busy')
  })
  await publish()
  clock.advance(250)
  await settled()
  expect(errors).toEqual([new Error('busy')])
  fail = false
  clock.advance(1_999)
  expect(count).toBe(1)
  clock.advance(1)
  expect(count).toBe(2)
})

test('nothing happens once it is closed', async () => {
  let count = 0
  const { clock, passes, publish } = setUp(async () => void count++)
  await publish()
  passes.close()
  await publish()
  clock.advance(10_000)
  expect(count).toBe(0)
  expect(clock.pending).toBe(0)
})
