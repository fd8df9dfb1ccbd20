import { expect, test } from 'vitest'
import { AwsError } from './error.ts'
import { decodeJsonBody, encodeJsonError, encodeJsonResponse } from './json.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

test('an empty body is an empty input', () => {
  expect(decodeJsonBody(new Uint8Array())).toEqual({})
  expect(decodeJsonBody(utf8('{"Target":"a"}'))).toEqual({ Target: 'a' })
})

test.each([
  [utf8('{'), 'not valid JSON'],
  [utf8('{"secret":"hunter2"'), 'not valid JSON'],
  [new Uint8Array([0x22, 0xff, 0x22]), 'not UTF-8'],
  [utf8('['.repeat(65)), 'deeper than 64'],
  [utf8(`{"a":${'['.repeat(100_000)}`), 'deeper than 64'],
])('a body that is not JSON is a SerializationException (%#)', (body, reason) => {
  try {
    decodeJsonBody(body)
    expect.unreachable()
  } catch (error) {
    expect(error).toBeInstanceOf(AwsError)
    expect(error).toMatchObject({ code: 'SerializationException', status: 400 })
    expect((error as AwsError).message).toContain(reason)
    expect((error as AwsError).message).not.toContain('hunter2')
  }
})

test('brackets in strings and closed ones are not depth', () => {
  const deep = `${'['.repeat(64)}${']'.repeat(64)}`
  expect(() => decodeJsonBody(utf8(deep))).not.toThrow()
  expect(decodeJsonBody(utf8(JSON.stringify({ Content: `\\"${'{'.repeat(500)}` })))).toBeTypeOf('object')
  expect(decodeJsonBody(utf8(`[${'[],'.repeat(500)}[]]`))).toHaveLength(501)
})

test('a response leaves nulls out and writes times as seconds', () => {
  const output = { A: 'x', Gone: null, Off: undefined, At: new Date(1767323045936), Flag: false }
  const { status, headers, body } = encodeJsonResponse(output, 'req-1')
  expect(status).toBe(200)
  expect(headers).toEqual({ 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': 'req-1' })
  expect(text(body)).toBe('{"A":"x","At":1767323045.936,"Flag":false}')
  expect(text(encodeJsonResponse(undefined).body)).toBe('{}')
})

test('an error carries its code in the body and in a header', () => {
  const error = new AwsError('TargetNotConnected', 'mi-1 is not connected')
  const json = encodeJsonError(error, 'req-1', 'awsJson')
  expect(json.status).toBe(400)
  expect(json.headers).toMatchObject({
    'x-amzn-errortype': 'TargetNotConnected',
    'x-amzn-requestid': 'req-1',
  })
  expect(text(json.body)).toBe('{"__type":"TargetNotConnected","message":"mi-1 is not connected"}')
  const rest = encodeJsonError(error, 'req-1', 'restJson')
  expect(rest.headers['content-type']).toBe('application/json')
  expect(text(rest.body)).toBe('{"message":"mi-1 is not connected"}')
})
