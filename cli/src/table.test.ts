import { expect, test } from 'vitest'
import { formatAge, formatTable } from './table.ts'

test('a table has columns, no borders, and no effect on the terminal', async () => {
  const rows = [
    ['mi-1', 'web\x1b[2J', undefined],
    ['mi-23', '', 'z\nz'],
  ]
  expect(await formatTable(['ID', 'NAME', 'X'], rows)).toBe(
    ['ID     NAME     X', 'mi-1   web?[2J  -', 'mi-23  -        z?z', ''].join('\n'),
  )
})

test.each([
  [100, '0s'],
  [41, '59s'],
  [40, '1m'],
  [-3499, '59m'],
  [-3500, '1h'],
  [-86300, '1d'],
  [200, '0s'],
  [undefined, ''],
])('from %s to 100 is %s', (then, age) => {
  expect(formatAge(then, 100)).toBe(age)
})

test('a table that is too wide for the terminal gives up what it may, in order, and no more', async () => {
  const head = ['ID', 'DOCUMENT', 'WHY']
  const rows = [['mi-0123456789', 'AWS-StartPortForwardingSessionToSocket', 'because']]
  const shortened = [
    { column: 1, least: 13, middle: true },
    { column: 0, least: 6 },
  ]
  const line = async (columns: number) =>
    (await formatTable(head, rows, { columns, shortened })).split('\n')[1]
  expect(await line(62)).toBe('mi-0123456789  AWS-StartPortForwardingSessionToSocket  because')
  expect(await line(61)).toBe('mi-0123456789  AWS-StartPortForwa…ingSessionToSocket  because')
  expect(await line(37)).toBe('mi-0123456789  AWS-St…Socket  because')
  expect(await line(36)).toBe('mi-01234567…  AWS-St…Socket  because')
  expect(await line(10)).toBe('mi-01…  AWS-St…Socket  because')
})
