import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RemoteModes } from './modes.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

const resetAfter = (...chunks: string[]) => {
  const modes = new RemoteModes()
  for (const chunk of chunks) modes.observe(bytes(chunk))
  return modes.reset()
}

test.each([
  ['plain text\r\n', ''],
  ['\x1b[?1049h\x1b[?25l', '\x1b[?1049l\x1b[?25h'],
  ['\x1b[?1049h...\x1b[?1049l', ''],
  ['\x1b[?2004h$ ', '\x1b[?2004l'],
  ['\x1b[?1000;1006h', '\x1b[?1000l\x1b[?1006l'],
  ['\x1b[1;31mred', '\x1b[m'],
  ['\x1b[1;31mred\x1b[0m', ''],
  ['\x1b[31mred\x1b[m', ''],
  ['\x1b=', '\x1b>'],
  ['\x1b[>4;2m', '\x1b[>4m'],
  ['\x1b[>4;2m\x1b[>4;m', ''],
  ['\x1b[>1u\x1b[>5u\x1b[<u', '\x1b[<1u'],
  ['\x1b[?1049h\x1bc', ''],
  ['\x1b[\x1b[?25l', '\x1b[?25h'],
  ['\x1b[?12h', ''],
  [`\x1b[?${'1;'.repeat(100)}25l`, ''],
])('after %j the terminal is put back with %j', (output, reset) => {
  expect(resetAfter(output)).toBe(reset)
})

test('where the output is cut does not matter', () => {
  const piece = fc.constantFrom('\x1b', '[', '?', '1049', '25', 'h', 'l', ';', 'm', '0', 'x', '>', '4', 'u')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), pieces => {
      expect(resetAfter(...pieces)).toBe(resetAfter(pieces.join('')))
    }),
  )
})

test('a reset is sent once', () => {
  const modes = new RemoteModes()
  modes.observe(bytes('\x1b[?1049h'))
  expect(modes.reset()).not.toBe('')
  expect(modes.reset()).toBe('')
})
