import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeUtf8, utf8 } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import {
  answerHandshake,
  decodeHandshakeComplete,
  decodeHandshakeRequest,
  decodeHandshakeResponse,
  encodeHandshakeComplete,
  encodeHandshakeRequest,
  limitsOf,
  SessionType,
} from './handshake.ts'

const PROPERTIES = { portNumber: '5432', type: 'LocalPortForwarding' }
const OWN_TERMS = { payload: 65_552, window: 1_048_576 }
const json = (bytes: Uint8Array) => JSON.parse(decodeUtf8(bytes))
const request = (...actions: unknown[]) =>
  utf8(JSON.stringify({ AgentVersion: '3.3.0.0', RequestedClientActions: actions }))
const response = (...actions: unknown[]) =>
  utf8(JSON.stringify({ ClientVersion: '1.2.0.0', ProcessedClientActions: actions, Errors: null }))
const action = (ActionType: string, ActionStatus: number, ActionResult: unknown = null, error = '') => ({
  ActionType,
  ActionStatus,
  ActionResult,
  Error: error,
})
const TYPED = action('SessionType', 1)
const terms = (MaximumPayload: unknown, Window: unknown) => ({ MaximumPayload, Window })

describe('the request', () => {
  test('asks for the session type first, then offers our own terms', () => {
    expect(decodeUtf8(encodeHandshakeRequest('3.3.2299.0', SessionType.port, PROPERTIES))).toBe(
      '{"AgentVersion":"3.3.2299.0","RequestedClientActions":[{"ActionType":"SessionType","ActionParameters":{"SessionType":"Port","Properties":{"portNumber":"5432","type":"LocalPortForwarding"}}},{"ActionType":"Sallyport/1","ActionParameters":{"MaximumPayload":65552,"Window":1048576}}]}',
    )
    const shell = json(encodeHandshakeRequest('3.3.2299.0', SessionType.standardStream, undefined))
    expect(shell.RequestedClientActions[0].ActionParameters.Properties).toBeNull()
  })

  test('of our own agent is read by our own client', () => {
    expect(decodeHandshakeRequest(encodeHandshakeRequest('3.3.0.0', SessionType.port, PROPERTIES))).toEqual({
      agentVersion: '3.3.0.0',
      sessionType: 'Port',
      properties: PROPERTIES,
      kmsKeyId: undefined,
      offer: OWN_TERMS,
      unknownActions: [],
    })
  })

  test('of a stock agent with KMS, and with actions that nobody knows yet', () => {
    const read = decodeHandshakeRequest(
      request(
        { ActionType: 'SessionType', ActionParameters: { SessionType: 'Standard_Stream', Properties: null } },
        { ActionType: 'KMSEncryption', ActionParameters: { KMSKeyId: 'arn:aws:kms:k', Challenge: 'AAAA' } },
        { ActionType: 'Telepathy', ActionParameters: { Range: 1 } },
        { actiontype: 'Sallyport/2' },
      ),
    )
    expect(read).toMatchObject({
      sessionType: 'Standard_Stream',
      kmsKeyId: 'arn:aws:kms:k',
      offer: undefined,
      unknownActions: ['Telepathy', 'Sallyport/2'],
    })
    expect(read.properties).toBeUndefined()
  })

  test.each([
    ['no list', utf8('{"AgentVersion":"1","RequestedClientActions":{}}')],
    ['too many actions', request(...Array.from({ length: 17 }, () => ({ ActionType: 'x' })))],
    ['an action that is none', request('SessionType')],
    ['a session type without its name', request({ ActionType: 'SessionType', ActionParameters: {} })],
    ['a session type without parameters', request({ ActionType: 'SessionType' })],
    ['a key without its id', request({ ActionType: 'KMSEncryption', ActionParameters: {} })],
    ['no JSON', utf8('{')],
  ])('with %s is refused', (_, payload) => {
    expect(() => decodeHandshakeRequest(payload)).toThrow(ProtocolError)
  })
})

describe('the answer', () => {
  const asked = decodeHandshakeRequest(encodeHandshakeRequest('3.3.0.0', SessionType.port, PROPERTIES))

  test('of our own client takes the offer', () => {
    const { payload, terms: agreed } = answerHandshake(asked, { clientVersion: '1.2.764.0' })
    expect(decodeUtf8(payload)).toBe(
      '{"ClientVersion":"1.2.764.0","ProcessedClientActions":[{"ActionType":"SessionType","ActionStatus":1,"ActionResult":null,"Error":""},{"ActionType":"Sallyport/1","ActionStatus":1,"ActionResult":{"MaximumPayload":65552,"Window":1048576},"Error":""}],"Errors":null}',
    )
    expect(agreed).toEqual(OWN_TERMS)
    expect(decodeHandshakeResponse(payload)).toEqual({ clientVersion: '1.2.764.0', terms: OWN_TERMS })
  })

  test('to a stock agent agrees on nothing', () => {
    const stock = decodeHandshakeRequest(
      request({
        ActionType: 'SessionType',
        ActionParameters: { SessionType: 'Port', Properties: PROPERTIES },
      }),
    )
    const { payload, terms: agreed } = answerHandshake(stock, { clientVersion: '1.2.764.0' })
    expect(agreed).toBeUndefined()
    expect(json(payload).ProcessedClientActions).toEqual([TYPED])
  })

  test('names what the client cannot do, in the words that the agent then reports', () => {
    const { payload } = answerHandshake(asked, { clientVersion: '1', problem: 'no such type' })
    expect(() => decodeHandshakeResponse(payload)).toThrow(
      expect.objectContaining({
        code: 'handshake-failed',
        retryable: false,
        message:
          'Encountered error while initiating handshake. SessionType failed on client with status 2 error: no such type',
      }),
    )
  })

  test('refuses encryption, and with it the session', () => {
    const kms = { ...asked, kmsKeyId: 'arn:aws:kms:k' }
    const { payload } = answerHandshake(kms, { clientVersion: '1' })
    expect(() => decodeHandshakeResponse(payload)).toThrow(/KMSEncryption failed on client with status 3/)
  })

  test('says 3 and not 0 to actions that it does not know (data-plane.md 19, 14)', () => {
    const { payload } = answerHandshake({ ...asked, unknownActions: ['Telepathy'] }, { clientVersion: '1' })
    expect(json(payload).ProcessedClientActions[2]).toMatchObject({
      ActionType: 'Telepathy',
      ActionStatus: 3,
    })
  })
})

describe('the answer of a stock plugin', () => {
  test('to Sallyport/1 is status 0 with a 3 in the wrong place: it is a stock one, and all is well', () => {
    const read = decodeHandshakeResponse(
      response(TYPED, action('Sallyport/1', 0, 3, 'Unsupported action type Sallyport/1')),
    )
    expect(read).toEqual({ clientVersion: '1.2.0.0', terms: undefined })
  })

  test.each([0, 2, 3, -1, 1.5])('to Sallyport/1 with status %d never agrees', status => {
    expect(
      decodeHandshakeResponse(response(TYPED, action('Sallyport/1', status, terms(1, 1)))).terms,
    ).toBeUndefined()
  })

  test('that leaves Sallyport/1 out is that of a stock one', () => {
    expect(decodeHandshakeResponse(response(TYPED)).terms).toBeUndefined()
  })

  test('without Error, or with null, is read', () => {
    const { Error: _, ...short } = TYPED
    expect(
      decodeHandshakeResponse(response(short, { ...action('Sallyport/1', 0, 3), Error: null })),
    ).toMatchObject({
      clientVersion: '1.2.0.0',
    })
  })

  test('that leaves the session type out, or answers only others, is a failure', () => {
    expect(() => decodeHandshakeResponse(response())).toThrow(/did not answer the SessionType action/)
    expect(() => decodeHandshakeResponse(response(action('KMSEncryption', 1)))).toThrow(/did not answer/)
  })

  test.each([
    ['no list', utf8('{"ClientVersion":"1","ProcessedClientActions":null}')],
    ['too many actions', response(...Array.from({ length: 17 }, () => TYPED))],
    ['a status that is no number', response({ ...TYPED, ActionStatus: '1' })],
    ['an action without status', response({ ActionType: 'SessionType' })],
  ])('with %s is refused', (_, payload) => {
    expect(() => decodeHandshakeResponse(payload)).toThrow(ProtocolError)
  })
})

describe('terms', () => {
  const agreed = (payload: unknown, window: unknown) =>
    decodeHandshakeResponse(response(TYPED, action('Sallyport/1', 1, terms(payload, window)))).terms

  test('are the lower of both, in each respect', () => {
    expect(agreed(1e9, 1e12)).toEqual(OWN_TERMS)
    expect(agreed(2_048, 1e12)).toEqual({ payload: 2_048, window: OWN_TERMS.window })
    expect(agreed(1_024.9, 262_144.9)).toEqual({ payload: 1_024, window: 262_144 })
    expect(limitsOf(OWN_TERMS)).toMatchObject({ payload: 65_552, window: 1_048_576 })
  })

  test.each([
    [0, 0],
    [1_023, 1_048_576],
    [1_024, 262_143],
    [524_288, 262_144],
    [-1, -1],
  ])('of %d and %d bytes are no terms', (payload, window) => {
    expect(() => agreed(payload, window)).toThrow(expect.objectContaining({ code: 'handshake-failed' }))
  })

  test.each([
    ['1024', 262_144],
    [null, 262_144],
    [1_024, []],
    [{}, {}],
  ])('of %j and %j are none', (payload, window) => {
    expect(() => agreed(payload, window)).toThrow(ProtocolError)
  })

  test('that an agent offers are checked just so', () => {
    const offer = (parameters: unknown) =>
      decodeHandshakeRequest(request({ ActionType: 'Sallyport/1', ActionParameters: parameters })).offer
    expect(offer(terms(2_048, 262_144))).toEqual({ payload: 2_048, window: 262_144 })
    expect(() => offer(terms(1, 1))).toThrow(ProtocolError)
    expect(() => offer(null)).toThrow(ProtocolError)
  })
})

describe('the completion', () => {
  test('tells nanoseconds as an integer', () => {
    expect(decodeUtf8(encodeHandshakeComplete(183.0000001, 'hello'))).toBe(
      '{"HandshakeTimeToComplete":183000000,"CustomerMessage":"hello"}',
    )
    expect(decodeHandshakeComplete(encodeHandshakeComplete(0.5))).toBe('')
    expect(decodeHandshakeComplete(utf8('{"HandshakeTimeToComplete":1,"CustomerMessage":"update"}'))).toBe(
      'update',
    )
  })
})

test('any JSON is understood or refused, by both sides', () => {
  const attempt = (read: () => unknown) => {
    try {
      read()
    } catch (error) {
      expect(error).toBeInstanceOf(ProtocolError)
    }
  }
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue()),
      fc.constantFrom('SessionType', 'KMSEncryption', 'Sallyport/1'),
      (values, type) => {
        const actions = values.map(value => ({
          ActionType: type,
          ActionParameters: value,
          ActionStatus: 1,
          ActionResult: value,
        }))
        attempt(() => decodeHandshakeRequest(request(...actions)))
        attempt(() => decodeHandshakeResponse(response(TYPED, ...actions)))
        attempt(() => decodeHandshakeComplete(utf8(JSON.stringify(values))))
      },
    ),
  )
})
