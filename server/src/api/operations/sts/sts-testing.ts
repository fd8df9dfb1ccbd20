// What the tests of STS share: AWS's own client on an API for tests, and roles to assume.

import { STSClient, type Credentials as StsAnswer } from '@aws-sdk/client-sts'
import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { testScope as scope } from '@sallyport/server/store/testing'
import { type ApiForTest, HOST } from '../../testing.ts'

export const ACCOUNT = scope.accountId
export const roleArn = (name: string) => `arn:aws:iam::${ACCOUNT}:role/${name}`
export const userArn = (name: string) => `arn:aws:iam::${ACCOUNT}:user/${name}`

/** As the SDK hands a request to what sends it. */
type SdkRequest = {
  method: string
  path: string
  headers: Record<string, string>
  body?: string | Uint8Array
}

/** Signs with the machine's clock: a test has to set that of the API to it. */
export function clientOf(api: ApiForTest, credentials: Credentials): STSClient {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials
  const handle = async (request: SdkRequest) => {
    const { method, path, headers, body = '' } = request
    const answer = await api.handle({
      method,
      path,
      headers: Object.entries(headers),
      body: Buffer.from(body),
    })
    return { response: { statusCode: answer.status, headers: { ...answer.headers }, body: answer.body } }
  }
  return new STSClient({
    region: scope.region,
    endpoint: `https://${HOST}`,
    maxAttempts: 1,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
    requestHandler: { handle } as never,
  })
}

/** Credentials that STS gave, as the next request is signed with them. */
export function usable(given: StsAnswer | undefined): Credentials {
  const {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
  } = given ?? {}
  if (accessKeyId === undefined || secretAccessKey === undefined) throw new Error('STS gave no credentials')
  return { accessKeyId, secretAccessKey, sessionToken }
}

/** The code and the message with which something fails. */
export async function failure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    const { name, message } = error as Error
    return `${name}: ${message}`
  }
  return 'none'
}

type RoleOptions = {
  trust?: unknown
  policies?: readonly string[]
  maxSessionDuration?: number
  path?: string
  roleId?: string
  tags?: Array<{ Key: string; Value: string }>
}

export const statement = (rest: object) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', ...rest }],
})

/** A trust policy that names principals by their ARNs. */
export const trustOf = (arns: string | string[], action: string | string[] = 'sts:AssumeRole', rest = {}) =>
  statement({ Principal: { AWS: arns }, Action: action, ...rest })

export async function makeRole(
  api: ApiForTest,
  roleName: string,
  options: RoleOptions = {},
): Promise<string> {
  const { trust = trustOf(`arn:aws:iam::${ACCOUNT}:root`), policies = [], path = '/' } = options
  const role = {
    roleName,
    roleId: options.roleId ?? `AROA${roleName.toUpperCase()}`,
    path,
    description: null,
    trustPolicy: JSON.stringify(trust),
    maxSessionDuration: options.maxSessionDuration ?? 3600,
    permissionsBoundary: null,
    createdAt: api.now,
  }
  await api.store.roles.create(scope, role, { limit: 100, tags: options.tags ?? [] })
  await api.givePolicies({ ownerType: 'role', ownerName: roleName }, policies)
  return `arn:aws:iam::${ACCOUNT}:role${path}${roleName}`
}

export const allow = (action: string | string[], resource: string | string[] = '*', rest = {}) =>
  JSON.stringify(statement({ Action: action, Resource: resource, ...rest }))
export const deny = (action: string | string[], resource: string | string[] = '*', rest = {}) =>
  JSON.stringify(statement({ ...rest, Effect: 'Deny', Action: action, Resource: resource }))
