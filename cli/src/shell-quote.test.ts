import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { shellQuote } from './shell-quote.ts'

test('plain words stay readable', () => {
  expect(shellQuote(['sh', '-c', 'exit 7', '', "it's", '--x=a,b:/c'])).toBe(
    `sh -c 'exit 7' '' 'it'\\''s' --x=a,b:/c`,
  )
})

test('sh splits it into the same words', () => {
  const word = fc.string({ unit: 'grapheme', maxLength: 12 }).filter(text => !text.includes('\0'))
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), words => {
      const { stdout } = spawnSync('/bin/sh', ['-c', `printf '%s\\0' ${shellQuote(words)}`], {
        encoding: 'utf8',
      })
      expect(stdout.split('\0').slice(0, -1)).toEqual(words)
    }),
    { numRuns: 100 },
  )
})
