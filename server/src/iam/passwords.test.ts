import { scryptSync } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import { hashPassword, isPassword, passwordProblem } from './passwords.ts'

// Hashing is slow by intent, and slower where others work too.
vi.setConfig({ testTimeout: 30_000 })

test('a hash is of its password alone, and what scrypt makes of it', async () => {
  const hash = await hashPassword('Correct horse 1')
  expect(await isPassword('Correct horse 1', hash)).toBe(true)
  for (const other of ['correct horse 1', 'Correct horse 1 ', '']) {
    expect(await isPassword(other, hash)).toBe(false)
  }
  const [, , parameters, salt = '', key = ''] = hash.split('$')
  expect(parameters).toBe('ln=15,r=8,p=3')
  const again = scryptSync('Correct horse 1', Buffer.from(salt, 'base64'), 32, {
    N: 32_768,
    r: 8,
    p: 3,
    maxmem: 2 ** 26,
  })
  expect(again.toString('base64').replace('=', '')).toBe(key)
})

test('what is no hash of ours is no password', async () => {
  for (const hash of ['', 'x', '$2b$10$abc', '$scrypt$ln=15,r=8,p=3$$', '$scrypt$ln=x$a$b']) {
    expect(await isPassword('', hash)).toBe(false)
  }
})

test('three kinds of characters make a password, eight of them at least', () => {
  for (const good of ['Aa345678', 'AA!!1111', 'aa!!1111', 'Aa!!!!!!']) {
    expect([good, passwordProblem(good, 'ada')]).toEqual([good, undefined])
  }
  for (const bad of ['Aa34567', 'Aaaaaaaa', 'aaaaaaa1', '11111111', '!!!!!!!1']) {
    expect([bad, passwordProblem(bad, 'ada')]).toEqual([bad, expect.any(String)])
  }
  expect(passwordProblem('Ada-L0velace', 'ada-l0velace')).toContain('user name')
})
