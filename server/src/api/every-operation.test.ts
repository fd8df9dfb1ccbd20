import { EC2MESSAGES_TARGET_PREFIX } from '@sallyport/protocol/api/ec2messages'
import { SSM_TARGET_PREFIX } from '@sallyport/protocol/api/ssm'
import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exampleInput, formOf } from './example-input.ts'
import { findOperation, operationNames } from './operations.ts'
import type { ApiRequest } from './request.ts'
import { type Answer, type ApiForTest, HOST, openApi, read } from './testing.ts'

let api: ApiForTest
let nobody: Credentials
let administrator: Credentials

beforeAll(async () => {
  api = await openApi()
  nobody = await api.user('nobody-allowed-anything', { policies: [] })
  administrator = await api.user('second-admin')
})
afterAll(() => api.dispose())

/** What nobody needs a permission for. */
const OPEN = new Set(['sts.GetCallerIdentity', 'sts.GetSessionToken', 'ssm.RegisterManagedInstance'])
const VERSIONS: Readonly<Record<string, string>> = { iam: '2010-05-08', sts: '2011-06-15', ec2: '2016-11-15' }
const PREFIXES: Readonly<Record<string, string>> = {
  ssm: SSM_TARGET_PREFIX,
  ec2messages: EC2MESSAGES_TARGET_PREFIX,
}
const all = operationNames().map((full): [string, string] => {
  const [service = '', name = ''] = full.split('.')
  return [service, name]
})
const guarded = all.filter(([service, name]) => !OPEN.has(`${service}.${name}`))

function requestFor(service: string, name: string): ApiRequest {
  const operation = findOperation(service, name)
  if (operation === undefined) throw new Error(`there is no ${name}`)
  const input = exampleInput(operation.input) as Record<string, unknown>
  const prefix = PREFIXES[service]
  if (prefix !== undefined) return api.jsonRequest(name, input, prefix)
  const version = VERSIONS[service]
  if (version === undefined) {
    const { ChannelId, ...body } = input
    const kind = name === 'CreateControlChannel' ? 'control' : 'data'
    return {
      ...api.jsonRequest(name, body),
      headers: [['Host', HOST]],
      path: `/v1/${kind}-channel/${ChannelId}`,
    }
  }
  const form = new URLSearchParams({ Action: name, Version: version })
  for (const [key, value] of formOf(input, service === 'ec2' ? '' : 'member.')) form.append(key, value)
  const headers = [
    ['Host', HOST],
    ['Content-Type', 'application/x-www-form-urlencoded; charset=utf-8'],
  ] as const
  return api.request({ headers, body: Buffer.from(form.toString()) })
}

async function call(service: string, name: string, credentials: Credentials): Promise<Answer> {
  return read(await api.handle(api.signed(requestFor(service, name), credentials, { service })))
}

/** Of the operations of ours that AWS's policies know under another name. */
const ACTIONS: Readonly<Record<string, string>> = {
  'ssm:WatchCommand': 'ssm:ListCommandInvocations',
  'ssm:GetCommandOutput': 'ssm:GetCommandInvocation',
}

const DENIED: Readonly<Record<string, readonly [status: number, code: string]>> = {
  ssm: [400, 'AccessDeniedException'],
  ec2messages: [400, 'AccessDeniedException'],
  ssmmessages: [403, 'AccessDeniedException'],
  iam: [403, 'AccessDenied'],
  sts: [403, 'AccessDenied'],
  ec2: [403, 'UnauthorizedOperation'],
}

test('there are operations of all services', () => {
  expect(new Set(all.map(([service]) => service))).toEqual(new Set(Object.keys(DENIED)))
  expect(guarded.length).toBeGreaterThan(100)
})

describe('a user without policies is refused, with nothing said of what exists:', () => {
  test.each(guarded)('%s %s', async (service, name) => {
    const answer = await call(service, name, nobody)
    const [status, code] = DENIED[service] ?? []
    expect({ ...answer, body: undefined }).toEqual({
      status,
      code,
      body: undefined,
      message: expect.any(String),
    })
    const action = ACTIONS[`${service}:${name}`] ?? `${service}:${name}`
    const start = `User: arn:aws:iam::123456789012:user/nobody-allowed-anything is not authorized to perform: ${action} on resource: `
    const said = unescaped(answer)
    expect(said).toContain(start)
    // A trust policy has no reasons of the caller's.
    if (name === 'AssumeRole') return
    expect(said.slice(start.length)).toMatch(
      /^(\*|arn:aws:[^ ]+) because (no identity-based policy allows the [a-z0-9]+:[A-Za-z]+ action|it is not for people)/,
    )
  })
})

test('what needs no permission needs none', async () => {
  for (const name of ['GetCallerIdentity', 'GetSessionToken']) {
    expect(await call('sts', name, nobody)).toMatchObject({ status: 200 })
  }
})

describe('an administrator is never refused by policies:', () => {
  const forPeople = guarded.filter(
    ([service, name]) =>
      // A role that does not exist has no trust policy either: that is a refusal whoever asks.
      name !== 'AssumeRole' && findOperation(service, name)?.callers.includes('person'),
  )

  test.each(forPeople)('%s %s', async (service, name) => {
    const { code, message } = await call(service, name, administrator)
    expect(`${code} ${message}`).not.toMatch(/AccessDenied|UnauthorizedOperation|not authorized/)
    expect(code).not.toBe('InternalServerError')
    // It got as far as the operation itself: the example was an input that its shape takes.
    expect(code).not.toBe('SerializationException')
  })
})

/** A message as it was before it became XML. */
function unescaped({ message }: Answer): string {
  return message
    .replaceAll('&apos;', "'")
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&amp;', '&')
}
