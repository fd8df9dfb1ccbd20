import {
  AssumeRoleCommand,
  GetAccessKeyInfoCommand,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
} from '@aws-sdk/client-sts'
import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'
import { ACCOUNT, allow, clientOf, deny, failure, makeRole, usable, userArn } from './sts-testing.ts'

let api: ApiForTest
beforeAll(async () => {
  api = await openApi()
  api.now = Date.now()
})
afterAll(() => api.dispose())

const issue = (credentials: Credentials, DurationSeconds?: number) =>
  clientOf(api, credentials).send(new GetSessionTokenCommand({ DurationSeconds }))
const issued = async (credentials: Credentials) => usable((await issue(credentials)).Credentials)

describe('GetSessionToken', () => {
  test('gives a user what they may do, for 12 hours unless said, whatever their policies are', async () => {
    const carol = await api.user('carol', { policies: [allow('ssm:DescribeSessions'), deny('sts:*')] })
    const answer = await issue(carol)
    const seconds = Math.floor(api.now / 1000)
    expect(answer.Credentials?.Expiration).toEqual(new Date((seconds + 43_200) * 1000))
    const temporary = usable(answer.Credentials)
    expect(temporary.accessKeyId).toMatch(/^ASIA/)
    expect(await api.code('DescribeSessions', { State: 'Active' }, temporary)).toBe('')
    expect(await api.code('ListDocuments', {}, temporary)).toBe('AccessDeniedException')
    expect(await clientOf(api, temporary).send(new GetCallerIdentityCommand({}))).toMatchObject({
      Arn: userArn('carol'),
      UserId: 'AIDAcarol',
      Account: ACCOUNT,
    })
  })

  test('gives what lasts from 15 minutes to 36 hours', async () => {
    const long = (await issue(api.administrator, 129_600)).Credentials
    expect(long?.Expiration?.getTime()).toBe((Math.floor(api.now / 1000) + 129_600) * 1000)
    for (const seconds of [899, 129_601]) {
      expect(await failure(issue(api.administrator, seconds))).toContain('ValidationError')
    }
  })

  test('gives what can neither call IAM nor more of STS than AssumeRole and GetCallerIdentity', async () => {
    const temporary = await issued(api.administrator)
    const iam = await api.iam('ListUserTags', { UserName: 'admin' }, temporary)
    expect(iam).toMatchObject({ status: 403, code: 'InvalidClientTokenId' })
    expect(iam.message).toContain('what GetSessionToken gives cannot call IAM')
    expect(await failure(issue(temporary))).toBe(
      'AccessDenied: Cannot call GetSessionToken with session credentials',
    )
    const info = new GetAccessKeyInfoCommand({ AccessKeyId: api.administrator.accessKeyId })
    expect(await failure(clientOf(api, temporary).send(info))).toContain('AccessDenied: Cannot call')
    const RoleArn = await makeRole(api, 'FromToken', { policies: [allow('*')] })
    const assume = new AssumeRoleCommand({ RoleArn, RoleSessionName: 'session' })
    const role = usable((await clientOf(api, temporary).send(assume)).Credentials)
    expect((await api.iam('ListUserTags', { UserName: 'admin' }, role)).status).toBe(200)
    expect(await failure(issue(role))).toContain('Cannot call GetSessionToken with session credentials')
  })

  test('gives nothing for a code of an MFA device', async () => {
    const input = { SerialNumber: 'arn:aws:iam::1:mfa/x', TokenCode: '123456' }
    const answer = clientOf(api, api.administrator).send(new GetSessionTokenCommand(input))
    expect(await failure(answer)).toContain('AccessDenied: MultiFactorAuthentication failed')
  })
})

describe('GetAccessKeyInfo', () => {
  const info = (AccessKeyId: string, credentials = api.administrator) =>
    clientOf(api, credentials).send(new GetAccessKeyInfoCommand({ AccessKeyId }))

  test('says whose a long-term key is, to who may ask', async () => {
    const { accessKeyId } = api.administrator
    expect((await info(accessKeyId)).Account).toBe(ACCOUNT)
    const dora = await api.user('dora', { policies: [] })
    expect(await failure(info(accessKeyId, dora))).toContain('AccessDenied: User: arn:aws:iam::')
    const temporary = await issued(api.administrator)
    for (const id of [temporary.accessKeyId, 'AKIA0000000000000000']) {
      expect(await failure(info(id))).toContain('ValidationError: Access key')
    }
    expect(await failure(info('short'))).toContain('ValidationError')
  })
})
