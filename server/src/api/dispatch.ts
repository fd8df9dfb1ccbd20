import { IAM_XMLNS } from '@sallyport/protocol/api/iam'
import { CREATE_CHANNEL_STATUS } from '@sallyport/protocol/api/ssmmessages'
import { STS_XMLNS } from '@sallyport/protocol/api/sts'
import { AwsError, authenticationError, inputError, type WireProtocol } from '@sallyport/protocol/aws/error'
import { type Encoded, encodeJsonError, encodeJsonResponse } from '@sallyport/protocol/aws/json'
import { coerceQuery, encodeQueryError, encodeQueryResponse } from '@sallyport/protocol/aws/query'
import { checkInput } from '@sallyport/protocol/aws/shape'
import { encodeXmlError } from '@sallyport/protocol/aws/xml'
import { utf8 } from '@sallyport/protocol/bytes'
import { describePrincipal, type Principal } from '../iam/principal.ts'
import type { Logger } from '../logger.ts'
import { StoreError } from '../store/errors.ts'
import type { Authenticator } from './authenticate.ts'
import type { AnyOperation, OperationContext } from './operation.ts'
import { operations } from './operations.ts'
import type { ApiRequest } from './request.ts'
import { inputOf, type Route, routeOf, unknownOperation } from './route.ts'

export type DispatchOptions = {
  authenticator: Authenticator
  logger: Logger
  /** Everything an operation works with, but for the time and the caller's view of us. */
  context: Omit<OperationContext, 'now' | 'origin' | 'remoteAddress' | 'gone'>
  now: () => number
}

/** An answer that is not JSON or XML made from an object: the message gateway's own. */
export type RawXml = { xml: string }

/**
 * The whole life of a request, in AWS's order: find the operation, authenticate, check the input, authorise, run,
 * log, answer. An operation cannot forget a step, because it performs none of them.
 */
export class Dispatch {
  readonly #options: DispatchOptions

  constructor(options: DispatchOptions) {
    this.#options = options
  }

  async handle(request: ApiRequest): Promise<Encoded> {
    const started = this.#options.now()
    let route: Route | undefined
    let caller = 'unknown'
    let answer: Encoded
    let failure: AwsError | undefined
    try {
      route = routeOf(request)
      const operation = operations[`${route.service}.${route.operation}`]
      if (operation === undefined) throw unknownOperation(route.wire, route.operation)
      const principal = await this.#options.authenticator.authenticate(request, route.wire, route.service)
      caller = describePrincipal(principal)
      const output = await this.#run(request, route, operation, principal)
      answer = encodeOutput(route, output, request.id)
    } catch (error) {
      failure = this.#toAwsError(error, request)
      answer = encodeError(route, failure, request.id)
    }
    this.#log(request, route, caller, answer.status, failure, started)
    return answer
  }

  async #run(
    request: ApiRequest,
    route: Route,
    operation: AnyOperation,
    principal: Principal,
  ): Promise<object> {
    if (principal.kind === 'anonymous' && !operation.callers.includes('anonymous')) {
      throw authenticationError('missing', route.wire, 'Missing Authentication Token')
    }
    const { origin, remoteAddress, gone } = request
    const context = { ...this.#options.context, now: this.#options.now(), origin, remoteAddress, gone }
    const input = readInput(request, route, operation) as never
    authorise(route, operation, input, principal, context)
    return await operation.run(context, input, principal as never)
  }

  #toAwsError(error: unknown, request: ApiRequest): AwsError {
    if (error instanceof AwsError) return error
    if (error instanceof StoreError && error.code === 'bad-token') {
      return new AwsError('InvalidNextToken', 'The NextToken is not one that this operation returned.')
    }
    const full = error instanceof StoreError && error.code === 'full'
    this.#options.logger.error(
      { requestId: request.id, err: error },
      full ? 'the data directory is full' : 'request failed',
    )
    // What went wrong inside is for the log; the caller gets the number to look it up by.
    const message = full
      ? 'The server cannot store anything: its disk is full. Nothing was changed.'
      : `An error occurred on the server side. Its log has the cause under request id ${request.id}.`
    return new AwsError('InternalServerError', message, { status: 500, fault: 'Receiver', cause: error })
  }

  #log(
    request: ApiRequest,
    route: Route | undefined,
    caller: string,
    status: number,
    failure: AwsError | undefined,
    started: number,
  ) {
    const line = {
      requestId: request.id,
      service: route?.service,
      operation: route?.operation,
      caller,
      address: request.remoteAddress,
      status,
      ms: this.#options.now() - started,
      ...(failure && { error: failure.code, reason: failure.message }),
    }
    if (failure === undefined) this.#options.logger.info(line, 'request')
    else this.#options.logger.warn(line, 'request refused')
  }
}

function readInput(request: ApiRequest, route: Route, operation: AnyOperation): unknown {
  const raw = inputOf(request, route)
  try {
    return checkInput(operation.input, route.wire === 'query' ? coerceQuery(operation.input, raw) : raw)
  } catch (error) {
    throw error instanceof AwsError ? inputError(error, route.wire) : error
  }
}

/** Denies by default: an operation names the callers it is for, and an agent may speak for its own node only. */
function authorise(
  route: Route,
  operation: AnyOperation,
  input: never,
  principal: Principal,
  context: OperationContext,
) {
  const action = `${route.service}:${route.operation}`
  if (operation.callers.includes('anonymous')) return
  const resources = operation.resources?.(input, context) ?? ['*']
  const own = operation.ownNode?.(input)
  const ofKind = operation.callers.some(kind => kind === principal.kind)
  const isOwn = principal.kind === 'user' || ('nodeId' in principal && principal.nodeId === own)
  if (ofKind && (own === undefined || isOwn)) return
  throw authenticationError(
    'access-denied',
    route.wire,
    `User: ${describePrincipal(principal)} is not authorized to perform: ${action} on resource: ${resources.join(', ')} because no identity-based policy allows the ${action} action`,
  )
}

function encodeOutput(route: Route, output: object, requestId: string): Encoded {
  switch (route.wire) {
    case 'awsJson':
      return encodeJsonResponse(output, requestId)
    case 'query':
      return encodeQueryResponse(route.operation, xmlns(route), result(output), requestId)
    case 'restXml':
      return {
        status: CREATE_CHANNEL_STATUS,
        headers: { 'content-type': 'application/xml', 'x-amzn-requestid': requestId },
        body: utf8((output as RawXml).xml),
      }
    default:
      throw new Error(`no operation answers in ${route.wire}`)
  }
}

function xmlns(route: Route): string {
  return route.service === 'iam' ? IAM_XMLNS : STS_XMLNS
}

/** An operation without output has no `…Result` element (control-plane.md 29). */
function result(output: object): object | undefined {
  return Object.keys(output).length === 0 ? undefined : output
}

function encodeError(route: Route | undefined, error: AwsError, requestId: string): Encoded {
  const wire: WireProtocol = route?.wire ?? 'awsJson'
  switch (wire) {
    case 'awsJson':
    case 'restJson':
      return encodeJsonError(error, requestId, wire)
    case 'query':
    case 'ec2':
      return encodeQueryError(error, route === undefined ? STS_XMLNS : xmlns(route), requestId)
    case 'restXml':
      return encodeXmlError(error, requestId)
    default:
      return wire satisfies never
  }
}
