import { expect, test } from 'vitest'
import { cutStream, outputOf } from './output-text.ts'

const TITLE = '\n----------ERROR-------\n'

test('a stream is cut at 24,000, mark included', () => {
  expect(cutStream('x'.repeat(23_999))).toBe('x'.repeat(23_999))
  expect(cutStream('x'.repeat(24_000))).toBe(`${'x'.repeat(23_980)}--output truncated--`)
  expect(cutStream(`${'x'.repeat(23_979)}😀${'x'.repeat(100)}`)).toBe(
    `${'x'.repeat(23_979)}--output truncated--`,
  )
})

test('both streams share 2,500 characters', () => {
  expect(outputOf('out', '')).toBe('out')
  expect(outputOf('', 'err')).toBe(`${TITLE}err`)
  expect(outputOf('out\n', 'err')).toBe(`out\n${TITLE}err`)
  const [long, short] = ['x'.repeat(5_000), 'short']
  expect(outputOf(long, '')).toBe(`${'x'.repeat(2_500 - 23)}\n---Output truncated---`)
  expect(outputOf(long, short)).toMatch(/^x+\n---Output truncated---\n-{10}ERROR-{7}\nshort$/)
  expect(outputOf(short, long)).toMatch(/^short\n-{10}ERROR-{7}\nx+\n---Error truncated----$/)
  expect(outputOf(long, long)).toMatch(
    /^x+\n---Output truncated---\n-{10}ERROR-{7}\nx+\n---Error truncated----$/,
  )
  for (const output of [outputOf(long, short), outputOf(short, long)]) expect(output).toHaveLength(2_500)
  expect(outputOf(long, long).length).toBeLessThanOrEqual(2_500)
})
