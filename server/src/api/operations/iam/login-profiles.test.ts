import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest

// Hashing is slow by intent, and slower where others work too.
vi.setConfig({ testTimeout: 30_000 })

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.dispose())

const hashOf = async (userName: string) => (await api.store.loginProfiles.get(scope, userName))?.passwordHash

test('a password is given, changed by its owner, replaced by an administrator and taken away', async () => {
  const ada = await api.user('ada')
  const created = await api.iam('CreateLoginProfile', {
    UserName: 'ada',
    Password: 'Correct horse 1',
    PasswordResetRequired: 'true',
  })
  expect(created.body.text).toContain(
    '<LoginProfile><UserName>ada</UserName><CreateDate>2026-01-31T12:00:00Z</CreateDate><PasswordResetRequired>true</PasswordResetRequired></LoginProfile>',
  )
  expect(await api.iam('CreateLoginProfile', { UserName: 'ada', Password: 'Correct horse 1' })).toMatchObject(
    {
      status: 409,
      code: 'EntityAlreadyExists',
    },
  )
  const change = (OldPassword: string, NewPassword: string) =>
    api.iam('ChangePassword', { OldPassword, NewPassword }, ada)
  expect(await change('Wrong horse 1', 'Battery staple 2')).toMatchObject({
    status: 403,
    code: 'AccessDenied',
    message: 'The old password was incorrect.',
  })
  expect((await change('Correct horse 1', 'short')).code).toBe('PasswordPolicyViolation')
  expect((await change('Correct horse 1', 'Battery staple 2')).status).toBe(200)
  const shown = String((await api.iam('GetLoginProfile', {}, ada)).body.text)
  expect(shown).toContain('<PasswordResetRequired>false</PasswordResetRequired>')
  expect((await change('Correct horse 1', 'Another staple 3')).code).toBe('AccessDenied')

  await api.iam('UpdateLoginProfile', { UserName: 'ada', Password: 'By the admin 4' })
  expect((await change('By the admin 4', 'Mine again 5')).status).toBe(200)
  expect((await api.iam('DeleteLoginProfile', { UserName: 'ada' })).status).toBe(200)
  for (const action of ['GetLoginProfile', 'DeleteLoginProfile', 'UpdateLoginProfile']) {
    expect(await api.iam(action, { UserName: 'ada' })).toMatchObject({
      code: 'NoSuchEntity',
      message: 'Login Profile for User ada cannot be found.',
    })
  }
  expect((await change('Mine again 5', 'Mine again 6')).code).toBe('NoSuchEntity')
})

test('weak passwords are refused, and say what is missing', async () => {
  await api.user('Weakling')
  const problem = async (Password: string) => {
    const { code, message } = await api.iam('CreateLoginProfile', { UserName: 'Weakling', Password })
    return `${code}: ${message}`
  }
  expect(await problem('Aa1!aa1')).toBe('PasswordPolicyViolation: Password should have a minimum length of 8')
  expect(await problem('all lower case')).toMatch(/^PasswordPolicyViolation: Password should have at least 3/)
  expect(await problem('weakling')).toContain('user name')
  expect(await problem(`Aa1!${'x'.repeat(125)}`)).toMatch(/^ValidationError/)
  expect(await hashOf('Weakling')).toBeUndefined()
  expect((await api.iam('CreateLoginProfile', { UserName: 'nobody', Password: 'Aa1!aaaa' })).code).toBe(
    'NoSuchEntity',
  )
})

test('of two who change one password at once, one does', async () => {
  const bob = await api.user('bob')
  await api.iam('CreateLoginProfile', { UserName: 'bob', Password: 'Correct horse 1' })
  const answers = await Promise.all(
    ['First staple 2', 'Second staple 3'].map(NewPassword =>
      api.iam('ChangePassword', { OldPassword: 'Correct horse 1', NewPassword }, bob),
    ),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 403])
})

test('passwords are in no log line, no message, and in the store as a hash with a salt of its own', async () => {
  for (const name of ['carol', 'dave']) {
    await api.user(name)
    await api.iam('CreateLoginProfile', { UserName: name, Password: 'Correct horse 1' })
  }
  const secret = 'ünmöglich☃ secret'
  const refused = await api.iam('CreateLoginProfile', { UserName: 'dave', Password: secret })
  expect(refused.code).toBe('ValidationError')
  expect(refused.message).not.toContain('secret')
  expect(JSON.stringify(api.lines)).not.toMatch(/Correct horse|☃/)
  const [first, second] = [await hashOf('carol'), await hashOf('dave')]
  expect(first).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  expect(second).not.toBe(first)
})
