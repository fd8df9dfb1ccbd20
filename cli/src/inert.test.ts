import { expect, test } from 'vitest'
import { inert, inertJson, inertLines, inertOutputLine } from './inert.ts'

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

test.each([
  ['plain\r', 'plain'],
  ['10%\r50%\r100%\r\r', '100%'],
  ['\r\r', ''],
  ['\ta\x1b[31mred\x1b[0m', '\tared'],
  ['\x1b[\x1b[31m2J', '?[2J'],
  ['\x1b]52;c;ZXZpbA==\x07\x9b2J\u202e', '?]52;c;ZXZpbA==??2J?'],
])('a line of output %j is shown as %j', (line, shown) => {
  expect(inertOutputLine(line)).toBe(shown)
})

test('a line that is made to take long does not', () => {
  const started = performance.now()
  for (const text of ['\r', '\x1b[', '\x1b[1;', '1;']) inertOutputLine(`${text.repeat(65_536)}x`)
  expect(performance.now() - started).toBeLessThan(1000)
})
