import { expect, test } from 'vitest'
import { isVersion, isVersionSince } from './versions.ts'

test.each([
  ['3.0.196.0', '3.0.196.0', true],
  ['3.0.196.0', '3.0.196.1', false],
  ['3.0.197.0', '3.0.196.1', true],
  ['3.0.1000.0', '3.0.196.1', true],
  ['3.0.99.999', '3.0.196.1', false],
  ['3.1', '3.0.196.1', true],
  ['3.0', '3.0.196.1', false],
  ['10.0.0.0', '3.0.196.1', true],
  ['1.1.70', '1.1.70.0', true],
  ['1.1.70.0', '1.1.70', true],
  ['1.1.61.0', '1.1.70', false],
])('%s has what came with %s: %s', (version, since, expected) => {
  expect(isVersionSince(version, since)).toBe(expected)
})

test.each(['', 'x', '3.3.0.0-beta', '3.3.0.0.1', '3..1', ' 3.3', '1e9', `${'9'.repeat(10)}`, '-1'])(
  '"%s" is no version, and older than everything',
  text => {
    expect(isVersion(text)).toBe(false)
    expect(isVersionSince(text, '0')).toBe(false)
  },
)
