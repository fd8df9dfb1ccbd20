import { describe, expect, test } from 'vitest'
import type { NodePrincipal } from './principal.ts'
import { base32, CREDENTIAL_LIFETIME, SessionCredentials } from './session-credentials.ts'

const NOW = 1_700_000_000_000
const principal: NodePrincipal = {
  kind: 'node',
  arn: 'arn:x',
  userId: 'AROA:mi-1',
  nodeId: 'mi-1',
  roleName: 'r',
}
const credentials = new SessionCredentials(new Uint8Array(32).fill(3))

describe('temporary credentials', () => {
  test('open to whom they were issued, with their secret and their end', () => {
    const issued = credentials.issue(principal, NOW)
    expect(issued.accessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/)
    expect(issued.expiresAt).toBe(NOW + CREDENTIAL_LIFETIME)
    const { secretAccessKey, expiresAt } = issued
    expect(credentials.open(issued.sessionToken, issued.accessKeyId)).toEqual({
      principal,
      secretAccessKey,
      expiresAt,
    })
  })

  test('say nothing of what is in them', () => {
    const { sessionToken, secretAccessKey } = credentials.issue(principal, NOW)
    const bytes = Buffer.from(sessionToken, 'base64')
    expect(bytes.includes('mi-1')).toBe(false)
    expect(bytes.includes(secretAccessKey)).toBe(false)
  })

  test('do not open with the key id of others, another key, or a changed bit', () => {
    const issued = credentials.issue(principal, NOW)
    const other = credentials.issue(principal, NOW)
    expect(credentials.open(issued.sessionToken, other.accessKeyId)).toBeUndefined()
    const strange = new SessionCredentials(new Uint8Array(32).fill(4))
    expect(strange.open(issued.sessionToken, issued.accessKeyId)).toBeUndefined()
    const bytes = Buffer.from(issued.sessionToken, 'base64')
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 0x80
      expect(credentials.open(changed.toString('base64'), issued.accessKeyId), `${at}`).toBeUndefined()
    }
  })

  test.each(['', 'x', 'A'.repeat(36), 'A'.repeat(38), 'A'.repeat(10_000)])('are not %s', text => {
    expect(credentials.open(text, 'ASIAX')).toBeUndefined()
  })
})

test('base32 is that of RFC 4648', () => {
  expect(base32(Buffer.from('foobarfoob'))).toBe('MZXW6YTBOJTG633C')
  expect(base32(new Uint8Array(5))).toBe('AAAAAAAA')
  expect(base32(new Uint8Array(5).fill(255))).toBe('77777777')
})
