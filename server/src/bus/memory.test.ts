import { expect, test } from 'vitest'
import { busSuite } from './bus-suite.ts'
import { MAX_PENDING_MESSAGES, openMemoryBus } from './memory.ts'

busSuite('a bus in memory', async options => openMemoryBus(options))

test('a publisher that outruns delivery is told so, and delivery goes on', async () => {
  const bus = openMemoryBus({ onError: () => {} })
  let seen = 0
  const last = new Promise<void>(resolve => {
    bus.subscribe('a', message => {
      seen += 1
      if (message === 'last') resolve()
    })
  })
  for (let count = 0; count < MAX_PENDING_MESSAGES; count += 1) void bus.publish('a', count)
  expect(() => bus.publish('a', 'too many')).toThrow(expect.objectContaining({ code: 'overflow' }))
  await new Promise(resolve => setImmediate(resolve))
  await bus.publish('a', 'last')
  await last
  expect(seen).toBe(MAX_PENDING_MESSAGES + 1)
  await bus.close()
})

test('messages without subscribers do not pile up', async () => {
  const bus = openMemoryBus({ onError: () => {} })
  for (let count = 0; count <= MAX_PENDING_MESSAGES; count += 1) {
    await bus.publish('nobody', count)
  }
  await bus.close()
})
