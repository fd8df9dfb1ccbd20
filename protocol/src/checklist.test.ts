import { expect, test } from 'vitest'
import { clockFinding, formatFinding } from './checklist.ts'

test('a finding is a line, and what to do about it', () => {
  expect(formatFinding({ ok: true, what: 'well', advice: 'nothing' })).toBe('✓ well\n')
  expect(formatFinding({ ok: false, what: 'ill' })).toBe('✗ ill\n')
  expect(formatFinding({ ok: false, what: 'ill', advice: 'rest\nand tea' })).toBe(
    '✗ ill\n    rest\n    and tea\n',
  )
})

test('a clock may be off by less than five minutes', () => {
  const date = 'Sat, 31 Jan 2026 12:00:00 GMT'
  const server = Date.UTC(2026, 0, 31, 12)
  expect(clockFinding(date, server + 299_999)).toMatchObject({ ok: true })
  expect(clockFinding(date, server + 300_000)).toMatchObject({
    ok: false,
    what: "this machine's clock is 300 s ahead of the server's",
  })
  expect(clockFinding(date, server - 3_600_000)).toMatchObject({
    ok: false,
    what: "this machine's clock is 3600 s behind the server's",
  })
  expect(clockFinding(undefined, server)).toMatchObject({ ok: false })
})
