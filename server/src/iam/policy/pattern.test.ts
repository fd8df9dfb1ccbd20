import { describe, expect, test } from 'vitest'
import { compileResourcePattern, splitArn } from './arn-pattern.ts'
import { type Characters, codesOf, matches } from './pattern.ts'
import { readTemplate } from './template.ts'

const NOTHING = new Map<string, readonly string[]>()

/** A text that counts how often somebody looks at one of its characters. */
function counted(text: string): Characters & { looks: number } {
  return {
    length: text.length,
    looks: 0,
    charCodeAt(index) {
      this.looks++
      return text.charCodeAt(index)
    },
  }
}

const codes = (pattern: string) =>
  codesOf(readTemplate(pattern, { wildcards: true, variables: false }), NOTHING) ?? []

describe('patterns made to take for ever', () => {
  const text = 'a'.repeat(2_000)
  const hostile = {
    'fifty stars': '*'.repeat(50),
    'fifty stars and an end that is not there': `${'*a'.repeat(50)}*b`,
    'stars and question marks': `${'*?'.repeat(50)}b`,
    'stars between runs': `${'*aaaaaaaaaa'.repeat(50)}b`,
    'a thousand stars': `${'a*'.repeat(1_000)}b`,
  }

  test.each(Object.entries(hostile))('%s: no more looks than text × pattern', (_, pattern) => {
    const looked = counted(text)
    const found = matches(codes(pattern), looked)
    expect(found).toBe(!pattern.endsWith('b'))
    expect(looked.looks).toBeLessThanOrEqual(text.length * pattern.length)
  })

  // Takes ten seconds and more where each place costs an entry in a set.
  test('a policy that is nothing but stars is done with before anybody notices', () => {
    const text = `arn:aws:iam::123456789012:${'a:'.repeat(1000)}`
    for (let i = 0; i < 40; i++) {
      const pattern = compileResourcePattern(
        readTemplate(`arn:aws:iam:*:*:${'*a'.repeat(900)}${i}b`, { wildcards: true, variables: false }),
      )
      expect(pattern(text, splitArn(text), NOTHING)).toBe(false)
    }
  })

  test('stars that may go on behind colons try no place twice', () => {
    const pattern = `arn:aws:logs:*:*:x${'*b'.repeat(100)}`
    const resource = `arn:aws:logs:r:1:a:x${'b'.repeat(1_500)}`
    const matched = compileResourcePattern(readTemplate(pattern, { wildcards: true, variables: false }))
    expect(matched(resource, splitArn(resource), NOTHING)).toBe(true)
    expect(matched(`${resource}y`, splitArn(`${resource}y`), NOTHING)).toBe(false)
  })
})
