import { expect, test } from 'vitest'
import { inert, inertJson, inertLines } from './inert.ts'

test.each([
  ['web-1', 'web-1'],
  ['\x1b]0;title\x07', '?]0;title?'],
  ['a\r\nb', 'a??b'],
  ['\x9b31m', '?31m'],
  ['\u202egnp.exe', '?gnp.exe'],
  ['zero\u200bwidth', 'zero?width'],
  ['Zürich 東京 🙂', 'Zürich 東京 🙂'],
  [undefined, ''],
  [null, ''],
  [3, '3'],
])('%j is shown as %j', (value, shown) => {
  expect(inert(value)).toBe(shown)
})

test('what is too long is cut and shows that it was', () => {
  expect(inert('x'.repeat(50), 10)).toBe(`${'x'.repeat(9)}…`)
})

test('JSON keeps its meaning without its effect on a terminal', () => {
  const value = { name: 'a\x1b\u009b31m\u202e\n"é' }
  const json = inertJson(value)
  expect(json).toBe('{\n  "name": "a\\u001b\\u009b31m\\u202e\\n\\"é"\n}')
  expect(JSON.parse(json)).toEqual(value)
})

test('a message keeps its lines', () => {
  expect(inertLines('one\r\ntwo\x1b[2J')).toBe('one\ntwo?[2J')
})
