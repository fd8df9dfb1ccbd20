import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { shellWords } from './shell-words.ts'

describe('a command is split', () => {
  test.each<[string, string[]]>([
    ['df -h', ['df', '-h']],
    ['  a \t b\n c  ', ['a', 'b', 'c']],
    [`sh -c 'exit 7'`, ['sh', '-c', 'exit 7']],
    [`a'b'"c"\\d`, ['abcd']],
    [`'' ""`, ['', '']],
    [`'it'\\''s'`, ["it's"]],
    [`"\\$HOME \\\\ \\" \\n"`, ['$HOME \\ " \\n']],
    [`'\\n\n'`, ['\\n\n']],
    ['a\\\nb \\\n c', ['ab', 'c']],
    ['a#b #c d\ne', ['a#b', 'e']],
    ['echo $HOME * ~ `id` $(id) ; a|b >c && d', 'echo $HOME * ~ `id` $(id) ; a|b >c && d'.split(' ')],
    ['grüße 🙂', ['grüße', '🙂']],
    ['', []],
  ])('%j', (command, words) => {
    expect(shellWords(command)).toEqual(words)
  })

  test.each([
    [`a 'b`, 'a single quote is not closed'],
    [`a "b\\"`, 'a double quote is not closed'],
    ['a\\', 'it ends with a backslash'],
  ])('not when it is %j', (command, message) => {
    expect(() => shellWords(command)).toThrow(message)
  })
})

/** What sh makes of the words; undefined when it cannot parse them. */
function wordsOfSh(words: string): string[] | undefined {
  const { status, stdout } = spawnSync('/bin/sh', ['-c', `printf '%s\\0' ${words}`], { encoding: 'utf8' })
  return status === 0 ? stdout.split('\0').slice(0, -1) : undefined
}

const piece = fc.constantFrom(
  'a',
  'bc',
  ' ',
  '  ',
  '\t',
  "'",
  '"',
  '\\',
  '\\\\',
  "'x y'",
  '#',
  'é',
  '%s',
  '-',
)

test('it is split as sh does it', () => {
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 12 }), pieces => {
      // A first word, because printf prints once without any.
      const command = `first ${pieces.join('')}`
      // What follows a comment is another command for sh.
      if (/\s#.*\n/.test(command)) return
      let words: string[] | undefined
      try {
        words = shellWords(command)
      } catch {
        // A lone backslash at the very end is itself for sh, and a mistake here.
        if (/\\$/.test(command)) return
      }
      expect(words).toEqual(wordsOfSh(command))
    }),
    { numRuns: 300 },
  )
})

test('anything in single quotes comes out as it was, and sh agrees', () => {
  const argument = fc.string({ unit: 'grapheme', maxLength: 20 }).filter(text => !text.includes('\0'))
  fc.assert(
    fc.property(fc.array(argument, { minLength: 1, maxLength: 5 }), words => {
      const command = words.map(word => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
      expect(shellWords(command)).toEqual(words)
      expect(wordsOfSh(command)).toEqual(words)
    }),
    { numRuns: 100 },
  )
})
