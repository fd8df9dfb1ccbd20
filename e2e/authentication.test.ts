import type { HttpRequest } from '@sallyport/protocol/aws/sigv4'
import { SEALING_KEY_SIZE, SessionCredentials } from '@sallyport/server/iam/session-credentials'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  administrator,
  call,
  dial,
  expectRefusal,
  REGION,
  send,
  signed,
  ssmRequest,
  startSession,
  upgradeHeaders,
} from './hostile-peer.ts'
import { type HostileScene, openHostileScene } from './hostile-scene.ts'
import type { Stack } from './stack.ts'

// Who may say what: requests and channels that are signed wrongly, late, by somebody else or not at all. Whatever
// happens, the session of a bystander goes on.

const SCOPE = { accountId: '123456789012', region: REGION }
const MINUTE = 60_000
const REFUSED = 1008

let scene: HostileScene
let { stack, mallory, victim, store } = {} as HostileScene

beforeAll(async () => {
  scene = await openHostileScene()
  ;({ stack, mallory, victim, store } = scene)
})

afterAll(() => scene?.[Symbol.asyncDispose]())

describe('the signature of a request', () => {
  const request = () => ssmRequest(stack, 'DescribeSessions', { State: 'Active' })
  const authorization = (from: string | RegExp, to: Replacement) => changeHeader('authorization', from, to)
  const whole = (change: Partial<HttpRequest>) => (good: HttpRequest) => ({ ...good, ...change })

  test('is accepted as it was made, for five minutes', async () => {
    expect((await send(stack, signed(stack, request()))).status).toBe(200)
    for (const minutes of [-4.9, 4.9]) {
      const at = Date.now() + minutes * MINUTE
      expect((await send(stack, signed(stack, request(), { at }))).status).toBe(200)
    }
  })

  const wrong = 'InvalidSignatureException'
  const incomplete = 'IncompleteSignatureException'
  const changes: Record<string, [change: (good: HttpRequest) => HttpRequest, code: string]> = {
    'another method': [whole({ method: 'PUT' }), wrong],
    'another path': [whole({ path: '/x' }), wrong],
    'a query': [whole({ query: 'a=b' }), wrong],
    'another host': [changeHeader('host', 'localhost', 'localhosu'), wrong],
    'another content type': [changeHeader('content-type', '1.1', '1.0'), wrong],
    'another operation': [changeHeader('x-amz-target', 'DescribeSessions', 'ListDocuments'), wrong],
    'another second': [
      changeHeader('x-amz-date', /\d(?=Z)/, digit => String((Number(digit) + 1) % 10)),
      wrong,
    ],
    'another day': [authorization(/\/20(\d)/, '/21$1'), wrong],
    'another region': [authorization('/us-east-1/', '/us-east-2/'), wrong],
    'another service': [authorization('/ssm/', '/sts/'), wrong],
    'another terminator': [authorization('aws4_request', 'aws5_request'), incomplete],
    'another algorithm': [authorization('AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA512'), incomplete],
    'a time that is none': [changeHeader('x-amz-date', 'T', 't'), incomplete],
    'an unknown access key': [authorization(/Credential=./, 'Credential=B'), 'UnrecognizedClientException'],
    'a session token that is none': [addHeader('x-amz-security-token', 'x'), 'UnrecognizedClientException'],
    'a signed header less': [authorization('content-type;', ''), wrong],
    'a host that is not signed': [authorization('host;', ''), incomplete],
    'a target that is not signed': [authorization(';x-amz-target', ''), incomplete],
    'a signed header that is not there': [authorization('host;', 'host;x-absent;'), incomplete],
    'a second date': [addHeader('X-Amz-Date', '20200101T000000Z'), incomplete],
    'no signature field': [authorization(/, Signature=.*/, ''), incomplete],
    'no signature at all': [dropHeader('authorization'), 'MissingAuthenticationTokenException'],
  }
  for (const [name, [change, code]] of Object.entries(changes)) {
    test(`does not cover ${name}`, async () => {
      await expectRefusal(stack, await send(stack, change(signed(stack, request()))), 400, code)
    })
  }

  test('covers every byte of the body, and counts with every digit', async () => {
    const good = signed(stack, request())
    const otherBodies = [...good.body.keys()].map(at => ({ ...good, body: flip(good.body, at) }))
    const otherSignatures = Array.from({ length: 64 }, (_, at) => {
      const digit = new RegExp(`(?<=Signature=.{${at}}).`)
      return authorization(digit, old => (old === '0' ? '1' : '0'))(good)
    })
    for (const changed of [...otherBodies, ...otherSignatures]) {
      const answer = await send(stack, changed)
      expect({ status: answer.status, code: answer.code }).toEqual({ status: 400, code: wrong })
    }
  })

  test('is worth nothing five minutes before and after its time', async () => {
    for (const seconds of [-305, 305]) {
      const at = Date.now() + seconds * 1000
      const answer = await send(stack, signed(stack, request(), { at }))
      await expectRefusal(stack, answer, 400, wrong)
      expect(answer.message).toMatch(/^Signature (expired|not yet current)/)
    }
  })

  test('has the errors of the service that is called', async () => {
    const { accessKeyId, secretAccessKey } = administrator(stack)
    const credentials = { accessKeyId, secretAccessKey: `${secretAccessKey}x` }
    const stranger = { accessKeyId: 'AKIAABCDEFGHIJKLMNOP', secretAccessKey }
    const identity = form(stack, 'Action=GetCallerIdentity&Version=2011-06-15')
    const signSts = { service: 'sts', credentials }
    await expectRefusal(
      stack,
      await send(stack, signed(stack, identity, signSts)),
      403,
      'SignatureDoesNotMatch',
    )
    await expectRefusal(
      stack,
      await send(stack, signed(stack, identity, { ...signSts, credentials: stranger })),
      403,
      'InvalidClientTokenId',
    )
    await expectRefusal(stack, await send(stack, identity), 403, 'MissingAuthenticationToken')

    const channel = { ...ssmRequest(stack, '', '{}'), path: `/v1/control-channel/${mallory.id}` }
    const signMessages = { service: 'ssmmessages', credentials }
    await expectRefusal(
      stack,
      await send(stack, signed(stack, channel, signMessages)),
      403,
      'InvalidSignatureException',
    )
  })
})

describe('the credentials of a node', () => {
  const asMallory = async () => ({ credentials: await mallory.plane.credentials.get() })

  test('are no user: they start no session, see no nodes, make no activations', async () => {
    const calls: Array<[string, object]> = [
      ['StartSession', { Target: victim.id }],
      ['DescribeInstanceInformation', {}],
      ['CreateActivation', { IamRole: 'SSMServiceRole' }],
      ['DescribeSessions', { State: 'Active' }],
      ['DeregisterManagedInstance', { InstanceId: victim.id }],
    ]
    for (const [operation, input] of calls) {
      const answer = await call(stack, operation, input, await asMallory())
      await expectRefusal(stack, answer, 400, 'AccessDeniedException')
      expect(answer.message).toContain(`is not authorized to perform: ssm:${operation}`)
    }
  })

  test('speak for no other node', async () => {
    const report = { InstanceId: victim.id, AgentVersion: '3.3.0.0', AgentStatus: 'Active' }
    await expectRefusal(
      stack,
      await call(stack, 'UpdateInstanceInformation', report, await asMallory()),
      400,
      'AccessDeniedException',
    )
    await expect(mallory.plane.createChannel('control', victim.id)).rejects.toThrow('AccessDenied')
    const session = await startSession(stack, victim.id)
    await expect(mallory.plane.createChannel('data', session.SessionId)).rejects.toThrow('BadRequest')
  })

  test('end with their time, and cannot be made up', async () => {
    const key = await store.secrets.getOrCreate(SCOPE, 'session-credentials', SEALING_KEY_SIZE)
    const arn = `arn:aws:ssm:${REGION}:123456789012:managed-instance/${mallory.id}`
    const principal = { kind: 'node', arn, nodeId: mallory.id } as const
    const report = { InstanceId: mallory.id, AgentVersion: '3.3.0.0', AgentStatus: 'Active' }
    const use = (sealing: Uint8Array, lifetime: number) =>
      call(stack, 'UpdateInstanceInformation', report, {
        credentials: new SessionCredentials(sealing).issue(principal as never, Date.now(), lifetime),
      })
    expect((await use(key, MINUTE)).status).toBe(200)
    await expectRefusal(stack, await use(key, -1), 400, 'ExpiredTokenException')
    const ownKey = key.map(byte => byte ^ 1)
    await expectRefusal(stack, await use(ownKey, MINUTE), 400, 'UnrecognizedClientException')
  })

  test('open no channel as somebody else', async () => {
    const own = await mallory.plane.createChannel('control', mallory.id)
    expect(await (await mallory.control(victim.id, own)).closed).toMatchObject({ code: REFUSED })
    const stolen = await victim.plane.createChannel('control', victim.id)
    expect(await (await mallory.control(victim.id, stolen)).closed).toMatchObject({ code: REFUSED })
    const url = `${stack.endpoint.replace('https', 'wss')}/v1/control-channel/${victim.id}?role=subscribe&stream=input`
    await expect(dial(stack, url)).rejects.toMatchObject({ status: 403 })
    await expect(dial(stack, url, upgradeHeaders(stack, url))).rejects.toMatchObject({ status: 403 })
  })
})

describe('a request that is too much', () => {
  test('because of its size: 413, and the connection goes', async () => {
    for (const size of [1024 * 1024, 10 * 1024 * 1024]) {
      const answer = await call(stack, 'DescribeSessions', { State: 'Active', NextToken: 'x'.repeat(size) })
      await expectRefusal(stack, answer, 413, 'RequestEntityTooLarge')
    }
  })

  test('because of its depth', async () => {
    const nested = `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`
    for (const body of [nested, '['.repeat(100_000)]) {
      const request = signed(stack, ssmRequest(stack, 'DescribeSessions', body))
      await expectRefusal(stack, await send(stack, request), 400, 'SerializationException')
    }
  })

  test('because of its names', async () => {
    for (const name of ['__proto__', 'constructor']) {
      const body = `{"State":"Active","${name}":{"State":"History"}}`
      const answer = await send(stack, signed(stack, ssmRequest(stack, 'DescribeSessions', body)))
      expect(answer.status, name).toBe(200)
    }
  })
})

type Replacement = string | ((found: string) => string)

function changeHeader(
  name: string,
  from: string | RegExp,
  to: Replacement,
): (good: HttpRequest) => HttpRequest {
  return good => {
    const headers = good.headers.map(([key, value]): [string, string] => {
      if (key !== name) return [key, value]
      const changed = value.replace(from, to as string)
      if (changed === value) throw new Error(`${from} is not in ${name}: ${value}`)
      return [key, changed]
    })
    return { ...good, headers }
  }
}

function addHeader(name: string, value: string): (good: HttpRequest) => HttpRequest {
  return good => ({ ...good, headers: [...good.headers, [name, value]] })
}

function dropHeader(name: string): (good: HttpRequest) => HttpRequest {
  return good => ({ ...good, headers: good.headers.filter(([key]) => key !== name) })
}

function flip(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.map((byte, index) => (index === at ? byte ^ 1 : byte))
}

function form(to: Stack, body: string): HttpRequest {
  const headers: Array<[string, string]> = [
    ['host', new URL(to.endpoint).host],
    ['content-type', 'application/x-www-form-urlencoded'],
  ]
  return { method: 'POST', path: '/', query: '', headers, body: Buffer.from(body) }
}
