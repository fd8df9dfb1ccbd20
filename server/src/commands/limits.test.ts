import { expect, test } from 'vitest'
import { concurrencyLimit, errorLimit } from './limits.ts'
import { type CommandCounts, statusOf } from './status.ts'
import { isStopped } from './window.ts'

test('percentages are rounded down, and one at least goes at a time', () => {
  expect(concurrencyLimit('10%', 55)).toBe(5)
  expect(concurrencyLimit('1%', 20)).toBe(1)
  expect(concurrencyLimit('7', 3)).toBe(7)
  expect(errorLimit('1%', 20)).toBe(0)
  for (const bad of ['', '-1', '1.5', '10 %', '%', 'all']) {
    expect(() => errorLimit(bad, 5), bad).toThrow(RangeError)
  }
})

test('10% of 50 nodes stop at the sixth error, as AWS says', () => {
  const limit = errorLimit('10%', 50)
  expect(isStopped({ errorCount: 5, errorLimit: limit })).toBe(false)
  expect(isStopped({ errorCount: 6, errorLimit: limit })).toBe(true)
})

test('the status at the end says which of the reasons counts', () => {
  const none = {
    targetCount: 4,
    waitingCount: 0,
    activeCount: 0,
    completedCount: 4,
    successCount: 0,
    errorCount: 0,
    errorLimit: 1,
    deliveryTimedOutCount: 0,
    cancelledCount: 0,
    cancelRequestedAt: null,
  }
  const details = (counts: Partial<CommandCounts>) => statusOf({ ...none, ...counts }, 'InProgress').details
  expect(details({ successCount: 4 })).toBe('Success')
  expect(details({ successCount: 3, errorCount: 1 })).toBe('Incomplete')
  expect(details({ errorCount: 2, cancelRequestedAt: 1, cancelledCount: 2 })).toBe('Failed')
  expect(details({ successCount: 3, cancelRequestedAt: 1, cancelledCount: 1 })).toBe('Cancelled')
  expect(details({ successCount: 3, cancelledCount: 1 })).toBe('Incomplete')
  expect(details({ deliveryTimedOutCount: 4 })).toBe('DeliveryTimedOut')
  expect(details({ deliveryTimedOutCount: 3, successCount: 1 })).toBe('Incomplete')
  expect(details({ targetCount: 0, completedCount: 0 })).toBe('NoInstancesInTag')
  expect(statusOf({ ...none, completedCount: 3, cancelRequestedAt: 1 }, 'InProgress').status).toBe(
    'Cancelling',
  )
})
