/** The shapes in which AWS services speak. `restXml` stands for the message gateway's own REST dialect. */
export type WireProtocol = 'awsJson' | 'restJson' | 'restXml' | 'query' | 'ec2'

export type Fault = 'Sender' | 'Receiver'

/** An error that a caller of the API sees: AWS's code, an HTTP status, and a message that says the cause. */
export class AwsError extends Error {
  override readonly name = 'AwsError'
  readonly code: string
  readonly status: number
  readonly fault: Fault

  /** `status` is 400 unless given, 500 for a fault of the receiver. */
  constructor(
    code: string,
    message: string,
    options: { status?: number; fault?: Fault; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.fault = options.fault ?? ((options.status ?? 400) >= 500 ? 'Receiver' : 'Sender')
    this.status = options.status ?? (this.fault === 'Receiver' ? 500 : 400)
  }
}

/** Why a caller was not let in, before any protocol has a name for it. */
export type AuthenticationFailure =
  | 'missing'
  | 'incomplete'
  | 'unknown-key'
  | 'inactive-key'
  | 'wrong-signature'
  | 'clock-skew'
  | 'expired-token'
  | 'expired-request'
  | 'unsupported'
  | 'access-denied'
  | 'unknown-operation'
  | 'throttled'

type Answer = readonly [status: number, code: string]

// control-plane.md 18.2. Columns: awsJson code (always 400); status of the REST protocols, which share that
// code; query; ec2. "unsupported" is not in the table: AWS answers another algorithm as an incomplete signature.
const ANSWERS: Record<
  AuthenticationFailure,
  readonly [json: string, rest: number, query: Answer, ec2: Answer]
> = {
  missing: [
    'MissingAuthenticationTokenException',
    403,
    [403, 'MissingAuthenticationToken'],
    [403, 'MissingAuthenticationToken'],
  ],
  incomplete: [
    'IncompleteSignatureException',
    400,
    [400, 'IncompleteSignature'],
    [400, 'IncompleteSignature'],
  ],
  unsupported: [
    'IncompleteSignatureException',
    400,
    [400, 'IncompleteSignature'],
    [400, 'IncompleteSignature'],
  ],
  'unknown-key': ['UnrecognizedClientException', 403, [403, 'InvalidClientTokenId'], [401, 'AuthFailure']],
  'inactive-key': ['UnrecognizedClientException', 403, [403, 'InvalidClientTokenId'], [401, 'AuthFailure']],
  'wrong-signature': [
    'InvalidSignatureException',
    403,
    [403, 'SignatureDoesNotMatch'],
    [403, 'SignatureDoesNotMatch'],
  ],
  'clock-skew': ['InvalidSignatureException', 403, [403, 'SignatureDoesNotMatch'], [400, 'RequestExpired']],
  'expired-request': ['InvalidSignatureException', 403, [400, 'RequestExpired'], [400, 'RequestExpired']],
  'expired-token': ['ExpiredTokenException', 403, [403, 'ExpiredToken'], [400, 'ExpiredToken']],
  'access-denied': ['AccessDeniedException', 403, [403, 'AccessDenied'], [403, 'UnauthorizedOperation']],
  'unknown-operation': ['UnknownOperationException', 404, [400, 'InvalidAction'], [400, 'InvalidAction']],
  throttled: ['ThrottlingException', 429, [400, 'Throttling'], [503, 'RequestLimitExceeded']],
}

/** The code and status that the given protocol has for an authentication or authorisation failure. */
export function authenticationError(
  failure: AuthenticationFailure,
  protocol: WireProtocol,
  message: string,
): AwsError {
  const [status, code] = answerFor(failure, protocol)
  return new AwsError(code, message, { status, fault: 'Sender' })
}

function answerFor(failure: AuthenticationFailure, protocol: WireProtocol): Answer {
  const [json, rest, query, ec2] = ANSWERS[failure]
  switch (protocol) {
    case 'awsJson':
      return [400, json]
    case 'restJson':
    case 'restXml':
      return [rest, json]
    case 'query':
      return query
    case 'ec2':
      return ec2
  }
}

/** Renames the errors of `checkInput` to what the protocol calls them (control-plane.md 18.2); passes others on. */
export function inputError(error: AwsError, protocol: WireProtocol): AwsError {
  if (error.code !== 'ValidationException' && error.code !== 'SerializationException') return error
  if (protocol === 'query') return new AwsError('ValidationError', error.message, { cause: error })
  if (protocol !== 'ec2') return error
  const missing = error.message.includes('Member must not be null')
  return new AwsError(missing ? 'MissingParameter' : 'InvalidParameterValue', error.message, { cause: error })
}
