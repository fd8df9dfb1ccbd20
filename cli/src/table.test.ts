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
