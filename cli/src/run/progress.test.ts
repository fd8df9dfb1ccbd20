import { describe, expect, test } from 'vitest'
import { formatElapsed, progressLine } from './progress.ts'

const TALLY = { waiting: 10, running: 5, succeeded: 4, failed: 1, cancelled: 0, notRun: 0 }

describe('the line of progress', () => {
  test('has a bar, the counts that are not 0, and the time', () => {
    expect(progressLine(TALLY, 65_000, 100)).toBe(
      '█████░░░░░░░░░░░░░░░ 5/20  4 succeeded  1 failed  5 running  10 waiting  1m05s',
    )
  })

  test.each([20, 40, 60, 70, 80])('never reaches the last of %i columns', columns => {
    expect(progressLine(TALLY, 65_000, columns, 'server not reachable').length).toBeLessThan(columns)
  })

  test('is full only when all are done', () => {
    const nearly = { waiting: 0, running: 1, succeeded: 9_999, failed: 0, cancelled: 0, notRun: 0 }
    expect(progressLine(nearly, 0, 100)).toContain('█░ 9999/10000')
    expect(progressLine({ ...nearly, running: 0 }, 0, 100)).not.toContain('░')
  })
})

test.each([
  [0, '0.0s'],
  [1234, '1.2s'],
  [9999, '10.0s'],
  [10_000, '10s'],
  [59_999, '59s'],
  [61_000, '1m01s'],
  [3_720_000, '1h02m'],
])('%i ms are %s', (ms, text) => {
  expect(formatElapsed(ms)).toBe(text)
})
