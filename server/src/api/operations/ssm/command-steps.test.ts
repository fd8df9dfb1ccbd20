import type { InvocationRow, StepResultRow } from '@sallyport/server/store/schema'
import { describe, expect, test } from 'vitest'
import { chosenStep, responseCode, viewSteps } from './command-steps.ts'
import { cut, duration } from './get-command-invocation.ts'

const names = ['a', 'b', 'c']
type Told = Pick<InvocationRow, 'status' | 'details' | 'acceptedAt' | 'endedAt'>
const invocation = (status: Told['status'], more: Partial<Told> = {}): Told => ({
  status,
  details: status,
  acceptedAt: null,
  endedAt: null,
  ...more,
})
const result = (stepName: string, status: string, code = 0): StepResultRow => ({
  accountId: 'a',
  region: 'r',
  commandId: 'c',
  nodeId: 'n',
  stepName,
  status,
  code,
  output: '',
  standardOutput: '',
  standardError: '',
  startedAt: 1,
  endedAt: 2,
})
const shown = (told: Told, ...results: StepResultRow[]) =>
  viewSteps(names, told, results).map(({ status, details, code }) => [status, details, code])

describe('steps that nothing was heard of', () => {
  const pending = ['Pending', 'Pending', -1]
  const running = ['InProgress', 'InProgress', -1]

  test('wait until the node has the command', () => {
    for (const status of ['Pending', 'InProgress', 'Delayed', 'Cancelling'] as const) {
      expect(shown(invocation(status))).toEqual([pending, pending, pending])
    }
  })

  test('run one after another then', () => {
    const told = invocation('InProgress', { acceptedAt: 1 })
    expect(shown(told)).toEqual([running, pending, pending])
    expect(shown(told, result('a', 'Failed', 2))).toEqual([['Failed', 'Failed', 2], running, pending])
    expect(shown(told, result('a', 'Success'), result('b', 'Skipped'))).toEqual([
      ['Success', 'Success', 0],
      ['Success', 'Success', 0],
      running,
    ])
    expect(shown({ ...told, status: 'Cancelling' })).toEqual([running, pending, pending])
  })

  test('ended with the invocation, if it did', () => {
    const timedOut = { details: 'DeliveryTimedOut', endedAt: 5 }
    expect(shown(invocation('TimedOut', timedOut), result('a', 'Success'))).toEqual([
      ['Success', 'Success', 0],
      ['TimedOut', 'DeliveryTimedOut', -1],
      ['TimedOut', 'DeliveryTimedOut', -1],
    ])
  })
})

test('what agents say of a step is shown as AWS shows it', () => {
  const told = invocation('InProgress', { acceptedAt: 1 })
  const of = (status: string, at: Told = told) => shown(at, result('a', status, 194))[0]
  expect(of('TimedOut')).toEqual(['TimedOut', 'ExecutionTimedOut', 194])
  expect(of('Cancelled')).toEqual(['Cancelled', 'Cancelled', 194])
  expect(of('NotStarted')).toEqual(['Pending', 'Pending', -1])
  // On its way through a restart of the machine.
  expect(of('SuccessAndReboot')).toEqual(['InProgress', 'InProgress', -1])
  expect(of('SuccessAndReboot', invocation('Success', { endedAt: 9 }))).toEqual(['Success', 'Success', 194])
})

test('a step is chosen by its name, or where there is only one', () => {
  expect(chosenStep(['only'], undefined)).toBe('only')
  expect(chosenStep(names, 'b')).toBe('b')
  expect(() => chosenStep(names, undefined)).toThrow('Its steps are a, b, c.')
  expect(() => chosenStep(['only'], 'other')).toThrow("no step 'other'")
  expect(() => chosenStep([], undefined)).toThrow('steps')
})

test('the code of an invocation is that of what went wrong', () => {
  expect(responseCode([])).toBe(-1)
  expect(responseCode([result('a', 'Success', 0), result('b', 'Success', 168)])).toBe(168)
  expect(responseCode([result('a', 'Failed', 3), result('b', 'Success')])).toBe(3)
})

test('times are ISO 8601', () => {
  expect([0, 5, 1234, 60_000, 61_500, 3_600_000, 90_061_001].map(duration)).toEqual([
    'PT0S',
    'PT0.005S',
    'PT1.234S',
    'PT1M',
    'PT1M1.5S',
    'PT1H',
    'PT25H1M1.001S',
  ])
})

test('output is cut between characters', () => {
  expect(cut('x'.repeat(100), 100)).toBe('x'.repeat(100))
  expect(cut('x'.repeat(101), 100)).toBe(`${'x'.repeat(80)}--output truncated--`)
  expect(cut(`x${'😀'.repeat(60)}`, 100)).toBe(`x${'😀'.repeat(39)}--output truncated--`)
})
