import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AwsError } from './error.ts'
import {
  coerceQuery,
  decodeQuery,
  encodeEc2Error,
  encodeEc2Response,
  encodeQueryError,
  encodeQueryResponse,
} from './query.ts'
import { checkInput, s } from './shape.ts'

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

describe('decoding', () => {
  test('lists of the query form, of the EC2 form, and maps', () => {
    const body =
      'Action=X&Tags.member.2.Key=b&Tags.member.1.Key=a&Filter.10.Name=z&Filter.9.Name=tag%3Ak+v' +
      '&Filter.9.Value.1=%2A&Map.entry.1.key=one&Map.entry.1.value=1&Profile.Arn=arn&Empty='
    expect(decodeQuery(body)).toEqual({
      Action: 'X',
      Tags: [{ Key: 'a' }, { Key: 'b' }],
      Filter: [{ Name: 'tag:k v', Value: ['*'] }, { Name: 'z' }],
      Map: { one: '1' },
      Profile: { Arn: 'arn' },
      Empty: '',
    })
  })

  test('keys that name inherited properties are ordinary keys', () => {
    const decoded = decodeQuery('__proto__.polluted=1&M.entry.1.key=__proto__&M.entry.1.value=x')
    expect(Object.keys(decoded)).toEqual(['__proto__', 'M'])
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  test.each([
    ['a=1&a=2', 'more than once'],
    ['a=1&a.b=2', 'both have a value'],
    ['a.b=1&a=2', 'more than once'],
    ['a=%zz', 'percent-encoded'],
    ['a=%ff', 'percent-encoded'],
    ['a.'.repeat(13), 'more than 12 parts'],
    [`${'x'.repeat(600)}=1`, 'longer than 512'],
    ['a&'.repeat(2001), 'more than 2000'],
    ['M.entry.1.value=x', "has no 'key'"],
    ['M.entry.1.key=a&M.entry.2.key=a', 'same key'],
  ])('%s is refused', (query, reason) => {
    expect(() => decodeQuery(query)).toThrow(reason)
    expect(() => decodeQuery(query)).toThrow(AwsError)
  })

  test('any text gives an object or an AwsError', () => {
    const noise = fc.array(fc.constantFrom('a', '.', '1', '=', '&', '%', '+', 'member', 'entry', 'key'))
    const property = fc.property(noise, parts => {
      try {
        expect(decodeQuery(parts.join(''))).toBeTypeOf('object')
      } catch (error) {
        expect(error).toBeInstanceOf(AwsError)
      }
    })
    fc.assert(property, { numRuns: 1000 })
  })
})

test('strings become what the shape wants, and the rest is left for the check', () => {
  const shape = s.structure({
    MaxResults: s.integer({ max: 10 }),
    DryRun: s.boolean(),
    Since: s.timestamp(),
    Names: s.list(s.string()),
    Ports: s.list(s.integer()),
    Sizes: s.map(s.string(), s.integer()),
    Inner: s.structure({ N: s.integer() }),
  })
  const body =
    'MaxResults=5&DryRun=true&Since=2026-01-02T03%3A04%3A05Z&Names=&Ports.1=80&Ports.3=-1&Other=9' +
    '&Sizes.entry.1.key=k&Sizes.entry.1.value=7&Inner.N=3'
  expect(checkInput(shape, coerceQuery(shape, decodeQuery(body)))).toEqual({
    MaxResults: 5,
    DryRun: true,
    Since: Date.UTC(2026, 0, 2, 3, 4, 5),
    Names: [],
    Ports: [80, -1],
    Sizes: { k: 7 },
    Inner: { N: 3 },
  })
  for (const bad of ['MaxResults=5x', 'MaxResults=1e1', 'DryRun=yes', 'Since=soon', 'Names=a', 'Inner=1']) {
    expect(() => checkInput(shape, coerceQuery(shape, decodeQuery(bad)))).toThrow('can not be converted')
  }
})

describe('encoding', () => {
  test('a query response wraps its result, if there is one', () => {
    const { status, headers, body } = encodeQueryResponse(
      'GetCallerIdentity',
      'urn:sts',
      { Arn: 'a&b' },
      'req-1',
    )
    expect(status).toBe(200)
    expect(headers['content-type']).toMatch(/^text\/xml/)
    expect(text(body)).toBe(
      '<GetCallerIdentityResponse xmlns="urn:sts"><GetCallerIdentityResult><Arn>a&amp;b</Arn>' +
        '</GetCallerIdentityResult><ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata>' +
        '</GetCallerIdentityResponse>',
    )
    expect(text(encodeQueryResponse('DeleteUser', 'urn:iam', undefined, 'r').body)).toBe(
      '<DeleteUserResponse xmlns="urn:iam"><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>' +
        '</DeleteUserResponse>',
    )
  })

  test('a query error', () => {
    const error = new AwsError('NoSuchEntity', 'gone', { status: 404 })
    const { status, body } = encodeQueryError(error, 'https://iam.amazonaws.com/doc/2010-05-08/', 'req-1')
    expect(status).toBe(404)
    expect(text(body)).toBe(
      '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>' +
        '<Code>NoSuchEntity</Code><Message>gone</Message></Error><RequestId>req-1</RequestId></ErrorResponse>',
    )
  })

  test('EC2 has the request id first, items in lists and its own error form', () => {
    expect(text(encodeEc2Response('DescribeTags', { tagSet: [{ key: 'k' }] }, 'req-1').body)).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n' +
        '<DescribeTagsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>req-1</requestId>' +
        '<tagSet><item><key>k</key></item></tagSet></DescribeTagsResponse>',
    )
    const { status, body } = encodeEc2Error(new AwsError('AuthFailure', 'no', { status: 401 }), 'req-1')
    expect(status).toBe(401)
    expect(text(body)).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>AuthFailure</Code>' +
        '<Message>no</Message></Error></Errors><RequestID>req-1</RequestID></Response>',
    )
  })
})
