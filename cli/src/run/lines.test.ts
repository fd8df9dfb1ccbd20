import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineSplitter } from './lines.ts'

test('lines are the same wherever the pieces were cut', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', 'é', '🙂', '\n', '\r') }),
      fc.array(fc.nat(40)),
      (text, cuts) => {
        const bytes = Buffer.from(text)
        const splitter = new LineSplitter()
        const places = [...cuts, bytes.length].map(cut => Math.min(cut, bytes.length)).sort((a, b) => a - b)
        const lines = places.flatMap((end, i) => splitter.push(bytes.subarray(places[i - 1] ?? 0, end)))
        const expected = text.split('\n')
        const last = expected.pop()
        expect(lines).toEqual(expected)
        expect(splitter.end()).toEqual(last === '' ? [] : [last])
      },
    ),
  )
})

test('a line without an end does not fill the memory', () => {
  const splitter = new LineSplitter()
  const lines = Array.from({ length: 100 }, () => splitter.push(Buffer.alloc(1000, 'x'))).flat()
  expect(lines.map(line => line.length)).toEqual([66_000])
})
