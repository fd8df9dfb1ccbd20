import { describe, expect, test } from 'vitest'
import { AwsError, authenticationError, inputError, type WireProtocol } from './error.ts'

test("an error is the sender's and 400 unless it says otherwise", () => {
  expect(new AwsError('InvalidDocument', 'no')).toMatchObject({ status: 400, fault: 'Sender' })
  expect(new AwsError('InternalServerError', 'no', { fault: 'Receiver' })).toMatchObject({ status: 500 })
  expect(new AwsError('X', 'no', { status: 503 })).toMatchObject({ fault: 'Receiver', status: 503 })
  expect(new AwsError('X', 'no', { cause: 'c' }).cause).toBe('c')
})

describe('authentication failures have the code and status of the protocol', () => {
  test.each<[Parameters<typeof authenticationError>[0], WireProtocol, number, string]>([
    ['missing', 'awsJson', 400, 'MissingAuthenticationTokenException'],
    ['missing', 'query', 403, 'MissingAuthenticationToken'],
    ['incomplete', 'ec2', 400, 'IncompleteSignature'],
    ['unknown-key', 'awsJson', 400, 'UnrecognizedClientException'],
    ['unknown-key', 'query', 403, 'InvalidClientTokenId'],
    ['inactive-key', 'ec2', 401, 'AuthFailure'],
    ['wrong-signature', 'awsJson', 400, 'InvalidSignatureException'],
    ['wrong-signature', 'query', 403, 'SignatureDoesNotMatch'],
    ['clock-skew', 'ec2', 400, 'RequestExpired'],
    ['expired-request', 'query', 400, 'RequestExpired'],
    ['expired-token', 'query', 403, 'ExpiredToken'],
    ['access-denied', 'awsJson', 400, 'AccessDeniedException'],
    ['access-denied', 'restXml', 403, 'AccessDeniedException'],
    ['access-denied', 'ec2', 403, 'UnauthorizedOperation'],
    ['unknown-operation', 'query', 400, 'InvalidAction'],
    ['throttled', 'ec2', 503, 'RequestLimitExceeded'],
  ])('%s in %s is %i %s', (failure, protocol, status, code) => {
    expect(authenticationError(failure, protocol, 'm')).toMatchObject({
      status,
      code,
      fault: 'Sender',
      message: 'm',
    })
  })
})

test('input errors are renamed for the query protocols only', () => {
  const invalid = new AwsError('ValidationException', "Value 'x' at 'a' failed")
  const missing = new AwsError('ValidationException', 'Value null at a failed: Member must not be null')
  expect(inputError(invalid, 'awsJson')).toBe(invalid)
  expect(inputError(invalid, 'query').code).toBe('ValidationError')
  expect(inputError(invalid, 'ec2').code).toBe('InvalidParameterValue')
  expect(inputError(missing, 'ec2').code).toBe('MissingParameter')
  expect(inputError(new AwsError('Other', 'm'), 'ec2').code).toBe('Other')
})
