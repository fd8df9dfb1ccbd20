import { describe, expect, test } from 'vitest'
import type { NodePrincipal, RolePrincipal, UserPrincipal } from './principal.ts'
import {
  base32,
  CREDENTIAL_LIFETIME,
  MAXIMUM_TOKEN,
  packedPercent,
  SessionCredentials,
  TokenTooLong,
} from './session-credentials.ts'

const NOW = 1_700_000_000_000
const principal: NodePrincipal = {
  kind: 'node',
  arn: 'arn:x',
  userId: 'AROA:mi-1',
  nodeId: 'mi-1',
  roleName: 'r',
}
const user: UserPrincipal = {
  kind: 'user',
  arn: 'arn:aws:iam::123456789012:user/alice',
  userId: 'AIDA1',
  userName: 'alice',
  longTermKeyId: 'AKIA1',
}
const role: Omit<RolePrincipal, 'temporary'> = {
  kind: 'role',
  arn: 'arn:aws:sts::123456789012:assumed-role/Dev/s',
  userId: 'AROA1:s',
  roleArn: 'arn:aws:iam::123456789012:role/Dev',
  roleName: 'Dev',
  sessionName: 's',
  source: { userName: 'alice', userId: 'AIDA1', longTermKeyId: 'AKIA1' },
  sourceIdentity: 'alice',
  tags: Object.fromEntries([
    ['team', 'ä'],
    ['__proto__', 'x'],
  ]),
  transitiveTagKeys: ['team'],
  sessionPolicies: { documents: ['{"Statement":[]}'], arns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'] },
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

  test.each([
    ['user', user],
    ['role', role],
  ])('of a %s know when they were issued', (_kind, person) => {
    const issued = credentials.issue(person, NOW, 1000)
    const { accessKeyId, expiresAt } = issued
    const opened = credentials.open(issued.sessionToken, accessKeyId)
    expect(opened?.principal).toEqual({ ...person, temporary: { accessKeyId, issuedAt: NOW, expiresAt } })
    expect(expiresAt).toBe(NOW + 1000)
  })

  test('keep every tag, whatever it is called', () => {
    const { sessionToken, accessKeyId } = credentials.issue(role, NOW)
    const opened = credentials.open(sessionToken, accessKeyId)?.principal as RolePrincipal
    expect(Object.entries(opened.tags)).toEqual([
      ['team', 'ä'],
      ['__proto__', 'x'],
    ])
  })

  test('say nothing of what is in them', () => {
    const { sessionToken, secretAccessKey } = credentials.issue(principal, NOW)
    const bytes = Buffer.from(sessionToken, 'base64')
    expect(bytes.includes('mi-1')).toBe(false)
    expect(bytes.includes(secretAccessKey)).toBe(false)
  })

  test('are issued up to the longest token, and not beyond', () => {
    const withTag = (length: number) =>
      credentials.issue({ ...role, tags: { tag: 'x'.repeat(length) } }, NOW).sessionToken
    const free = (MAXIMUM_TOKEN - withTag(0).length) * 0.75
    const longest = withTag(Math.floor(free) - 3)
    expect(packedPercent(longest)).toBe(100)
    expect(longest.length).toBeLessThanOrEqual(MAXIMUM_TOKEN)
    expect(() => withTag(Math.floor(free) + 3)).toThrow(TokenTooLong)
    expect(packedPercent(longest.slice(0, longest.length / 2))).toBe(50)
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
