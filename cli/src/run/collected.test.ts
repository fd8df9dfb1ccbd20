import { expect, test } from 'vitest'
import { CollectedOutput, lastLines } from './collected.ts'

test('what is too much for one object is cut and says so', () => {
  const output = new CollectedOutput()
  const node = (place: number) => ({ nodeId: String(place), label: '' })
  const mebibyte = Buffer.alloc(1024 * 1024, 'x')
  for (let i = 0; i < 80; i++) output.write(node(i), 'stdout', mebibyte)
  output.write(node(0), 'stdout', Buffer.from('more'))
  const all = Array.from({ length: 80 }, (_, i) => output.of(String(i)))
  expect(all[0]).toMatchObject({ OutputCut: true })
  expect(all[1]).not.toHaveProperty('OutputCut')
  expect(all.at(-1)).toEqual({ StandardOutput: '', StandardError: '', OutputCut: true })
  expect(all.reduce((sum, { StandardOutput }) => sum + StandardOutput.length, 0)).toBe(64 * 1024 * 1024)
})

test.each([
  ['', []],
  ['one', ['one']],
  ['1\n2\n\n4\n5\n\n', ['2', '4', '5']],
  ['why\nfailed to run commands: exit status 4', ['why']],
])('the last lines of %j are %j', (text, lines) => {
  expect(lastLines(text)).toEqual(lines)
})
