import { type Credentials, signRequest } from '@sallyport/protocol/aws/sigv4'
import { reconnectDelay } from '@sallyport/protocol/reconnect'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { ConnectionError, createRequester, type HttpResponse } from '@sallyport/protocol/transport/node-http'
import type { Environment } from './aws-config.ts'
import { isQueryService, queryAnswer, queryBody, queryError } from './query.ts'

export type ClientOptions = {
  endpoint: URL
  region: string
  credentials: () => Promise<Credentials>
  /** PEM text of the certificates to trust in place of Node's own list. */
  ca?: string | undefined
  /** Read for the proxy variables. */
  env?: Environment
  /** Waits, in milliseconds; for tests. */
  wait?: (ms: number) => Promise<void>
  now?: () => number
}

export type ApiClient = {
  /**
   * One operation of the AWS API: `ssm` by JSON 1.1; `iam` and `sts` by Query, whose answers are texts in lists and
   * structures (an empty list is an empty text). Rejects with an ApiError, or with what `credentials` rejects with.
   */
  call(
    service: 'ssm' | 'sts' | 'iam',
    operation: string,
    input: Readonly<Record<string, unknown>>,
  ): Promise<unknown>
}

/** The server refused, or no usable answer came: then `status` is 0 and `code` begins with `Connection`. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: string
  readonly status: number
  readonly requestId: string | undefined

  constructor(code: string, message: string, status: number, requestId?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.status = status
    this.requestId = requestId
  }
}

const TIMEOUT_MS = 15_000
const TRIES = 3
const MAX_DELAY_MS = 5000
const BACKOFF = { initial: 400, cap: MAX_DELAY_MS }

/** What may be asked twice. StartSession and SendCommand are not: they have no client token (control-plane.md 36). */
const IDEMPOTENT = /^(Describe|Get|List|Simulate|Watch)|^(ResumeSession|TerminateSession|CancelCommand)$/

/** Refusals that say that nothing was done, whatever the operation. */
const THROTTLED = /^(Throttling|ThrottlingException|RequestLimitExceeded|TooManyRequestsException)$/

/** Connects at the first call, not before: a client that is never used needs no server and no credentials. */
export const createClient = (options: ClientOptions): ApiClient => {
  const { endpoint, ca, env = process.env, wait = sleep } = options
  const request = createRequester(endpoint, { ca, env })
  return {
    async call(service, operation, input) {
      for (let tried = 1; ; tried++) {
        try {
          const { headers, body } = await signedRequest(options, service, operation, input)
          return readAnswer(
            service,
            operation,
            await request({ path: endpoint.pathname, headers, body, timeoutMs: TIMEOUT_MS }),
          )
        } catch (error) {
          if (tried === TRIES || !mayRetry(error, operation)) throw toApiError(error)
          await wait(retryDelay(error, tried))
        }
      }
    },
  }
}

const sleep = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))

const signedRequest = async (options: ClientOptions, service: string, operation: string, input: object) => {
  const { endpoint, region, credentials, now = Date.now } = options
  const query = isQueryService(service)
  const text = query ? queryBody(service, operation, input) : JSON.stringify(input)
  const body = new TextEncoder().encode(text)
  const headers: Array<[string, string]> = [
    ['host', endpoint.host],
    [
      'content-type',
      query ? 'application/x-www-form-urlencoded; charset=utf-8' : 'application/x-amz-json-1.1',
    ],
  ]
  if (!query) headers.push(['x-amz-target', `AmazonSSM.${operation}`])
  const request = { method: 'POST', path: endpoint.pathname, query: endpoint.search.slice(1), headers, body }
  const signature = signRequest(nodeCrypto, request, await credentials(), { region, service }, now())
  return { headers: [...headers, ...signature], body }
}

class ServerError extends ApiError {
  readonly retryAfterMs: number | undefined

  constructor(code: string, message: string, response: HttpResponse) {
    super(code, message, response.status, header(response, 'x-amzn-requestid'))
    const seconds = Number(header(response, 'retry-after'))
    this.retryAfterMs = seconds > 0 ? seconds * 1000 : undefined
  }
}

const header = ({ headers }: HttpResponse, name: string): string | undefined => {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

const mayRetry = (error: unknown, operation: string): boolean => {
  if (error instanceof ServerError) {
    return THROTTLED.test(error.code) || (error.status >= 500 && IDEMPOTENT.test(operation))
  }
  if (!(error instanceof ConnectionError)) return false
  // A certificate does not get better.
  if (error.code === 'ConnectionUntrusted' || error.code === 'ResponseTooLarge') return false
  return !error.sent || IDEMPOTENT.test(operation)
}

/** Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"), unless the server named a time. */
const retryDelay = (error: unknown, tried: number): number => {
  const asked = error instanceof ServerError ? error.retryAfterMs : undefined
  return Math.min(MAX_DELAY_MS, asked ?? reconnectDelay(nodeCrypto, BACKOFF, tried - 1))
}

const toApiError = (error: unknown): unknown =>
  error instanceof ConnectionError ? new ApiError(error.code, error.message, 0, undefined, error) : error

const readAnswer = (service: string, operation: string, response: HttpResponse): unknown => {
  const ok = response.status >= 200 && response.status < 300
  if (isQueryService(service)) return readQueryAnswer(ok, operation, response)
  let answer: unknown
  try {
    answer = JSON.parse(response.body || '{}')
  } catch {
    throw notAnAnswer(response)
  }
  if (ok) return answer
  const { __type, message, Message } = Object(answer)
  const type = header(response, 'x-amzn-errortype') ?? __type
  if (typeof type !== 'string') throw notAnAnswer(response)
  // `com.amazonaws.ssm#TargetNotConnected:http://…`: only the middle names the error.
  const code = type.replace(/^.*#/, '').replace(/:.*$/, '')
  throw new ServerError(code, String(message ?? Message ?? code), response)
}

const readQueryAnswer = (ok: boolean, operation: string, response: HttpResponse): unknown => {
  const answer = ok ? queryAnswer(response.body, operation) : undefined
  if (answer !== undefined) return answer
  const error = ok ? undefined : queryError(response.body)
  throw error === undefined ? notAnAnswer(response) : new ServerError(error.code, error.message, response)
}

const notAnAnswer = (response: HttpResponse) =>
  new ServerError(
    'UnreadableAnswer',
    `The endpoint answered ${response.status} with something that is no AWS answer. Is it a Sallyport server, or does a proxy answer in its place?`,
    response,
  )
