import { expect, test } from 'vitest'
import { evaluate } from './preconditions.ts'
import { scene } from './testing-document.ts'

const values = new Map<string, unknown>([
  ['mode', 'fast'],
  ['other', 'fast'],
  ['list', ['a']],
  ['os', 'linux'],
])
const equals = (...operands: unknown[]) => evaluate({ StringEquals: operands }, values, 'Linux')
const SATISFIED = { satisfied: true, problems: [] }

test('a platform, in any case and on either side', () => {
  expect(equals('platformType', 'Linux')).toEqual(SATISFIED)
  expect(equals('linux', 'platformType')).toEqual(SATISFIED)
  expect(equals('platformType', '{{ os }}')).toEqual(SATISFIED)
  expect(equals('platformType', 'Windows')).toEqual({
    satisfied: false,
    problems: ['"StringEquals": [platformType, Windows]'],
  })
})

test('a parameter, whose value is not told', () => {
  expect(equals('{{ mode }}', 'fast')).toEqual(SATISFIED)
  expect(equals('fast', '{{mode}}')).toEqual(SATISFIED)
  expect(equals('{{ mode }}', '{{ other }}')).toEqual(SATISFIED)
  expect(equals('{{ list }}', '["a"]')).toEqual(SATISFIED)
  expect(equals('{{ mode }}', 'slow')).toEqual({
    satisfied: false,
    problems: ['"StringEquals": [{{ mode }}, slow]'],
  })
})

test.each([
  [{ StringEquals: ['platformType'] }, 'exactly 2'],
  [{ StringEquals: ['platformType', 'Linux', 'MacOS'] }, 'exactly 2'],
  [{ StringEquals: 'Linux' }, 'exactly 2'],
  [{ StringEquals: [1, 2] }, 'must be strings'],
  [{ StringEquals: ['a', 'a'] }, 'identical'],
  [{ StringEquals: ['a', 'b'] }, 'valid document parameter'],
  [{ StringEquals: ['{{ nobody }}', 'b'] }, 'valid document parameter'],
  [{ StringEquals: ['{{ ssm:x }}', 'b'] }, 'SSM parameters'],
  [{ NumericEquals: ['a', 'b'] }, 'unrecognized operator: "NumericEquals"'],
  ['Linux', 'must be an object'],
])('%j is malformed', (precondition, words) => {
  const { satisfied, problems } = evaluate(precondition, values, 'Linux')
  expect(satisfied).toBe(true)
  expect(problems.join()).toContain(words)
})

test('a document for several platforms runs what is for this one', async () => {
  const step = (name: string, action: string, precondition: unknown) => ({
    action,
    name,
    precondition,
    inputs: { runCommand: ['echo here'] },
  })
  const { status, steps } = await scene({
    schemaVersion: '2.2',
    mainSteps: [
      step('windows', 'aws:runPowerShellScript', { StringEquals: ['platformType', 'Windows'] }),
      step('linux', 'aws:runShellScript', { StringEquals: ['platformType', 'Linux'] }),
      step('broken', 'aws:runShellScript', { StringEquals: ['platformType'] }),
    ],
  }).run()
  expect(status).toBe('Failed')
  expect(steps.map(each => [each.status, each.code])).toEqual([
    ['Skipped', 0],
    ['Success', 0],
    ['Failed', 1],
  ])
  expect(steps[0]?.output).toBe(
    'Step execution skipped due to unsatisfied preconditions: \'"StringEquals": [platformType, Windows]\'. Step name: windows',
  )
})
