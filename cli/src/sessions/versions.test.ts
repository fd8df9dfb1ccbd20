import { expect, test } from 'vitest'
import { isNewerVersion } from './versions.ts'

test.each([
  ['3.0.196.0', '3.0.196.0', false],
  ['3.0.197.0', '3.0.196.0', true],
  ['3.0.196.1', '3.0.196.0', true],
  ['3.0.1000.0', '3.0.196.0', true],
  ['3.0.99.999', '3.0.196.0', false],
  ['3.1', '3.0.196.0', true],
  ['3.0', '3.0.196.0', false],
  ['10.0.0.0', '3.0.196.0', true],
  ['', '3.0.196.0', false],
  ['3.3.0.0-beta', '3.0.196.0', false],
  ['3.3.0.0.1', '3.0.196.0', false],
])('%s is newer than %s: %s', (version, than, expected) => {
  expect(isNewerVersion(version, than)).toBe(expected)
})
