import { AwsError, authenticationError, inputError } from '@sallyport/protocol/aws/error'
import type { Encoded } from '@sallyport/protocol/aws/json'
import { coerceQuery } from '@sallyport/protocol/aws/query'
import { checkInput } from '@sallyport/protocol/aws/shape'
import { accessSubject } from '../bus/bus.ts'
import type { AccessCache } from '../iam/access-cache.ts'
import { describePrincipal, type Principal } from '../iam/principal.ts'
import { RequestRate } from '../iam/request-rate.ts'
import type { Logger } from '../logger.ts'
import { StoreError } from '../store/errors.ts'
import { encodeError, encodeOutput } from './answer.ts'
import type { Authenticator } from './authenticate.ts'
import { actionOf, authorise } from './authorise.ts'
import type { AnyOperation, OperationContext } from './operation.ts'
import { findOperation } from './operations.ts'
import { type ApiRequest, factsOf } from './request.ts'
import { inputOf, type Route, routeOf, unknownOperation } from './route.ts'

export type DispatchOptions = {
  authenticator: Authenticator
  logger: Logger
  /** Everything an operation works with, but for the time and the caller's view of us. */
  context: Omit<OperationContext, 'now' | 'origin' | 'remoteAddress' | 'gone' | 'facts'>
  accessCache: AccessCache
  now: () => number
}

/**
 * The whole life of a request, in AWS's order: find the operation, authenticate, check the input, authorise, run,
 * log, answer. An operation cannot forget a step, because it performs none of them.
 */
export class Dispatch {
  readonly #options: DispatchOptions
  readonly #rate = new RequestRate()

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
      const operation = findOperation(route.service, route.operation)
      if (operation === undefined) throw unknownOperation(route.wire, route.operation)
      const principal = await this.#options.authenticator.authenticate(request, route.wire, route.service)
      caller = describePrincipal(principal)
      this.#checkRate(route, principal, started)
      const output = await this.#run(request, route, operation, principal)
      answer = encodeOutput(route, output, request.id)
    } catch (error) {
      failure = this.#toAwsError(error, request)
      answer = encodeError(route, failure, request.id)
    }
    this.#log(request, route, caller, answer.status, failure, started)
    return answer
  }

  #checkRate(route: Route, principal: Principal, now: number): void {
    const wait = this.#rate.take(principal, actionOf(route), now)
    if (wait === 0) return
    const message = `Rate exceeded: ${describePrincipal(principal)} calls ${actionOf(route)} too often. Try again in ${wait} ms.`
    throw authenticationError('throttled', route.wire, message)
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
    const now = this.#options.now()
    const facts = factsOf(request, now)
    const context = { ...this.#options.context, now, origin, remoteAddress, gone, facts }
    const input = readInput(request, route, operation) as never
    await authorise(route, operation, input, principal, context)
    if (!operation.changesAccess) return await operation.run(context, input, principal as never)
    try {
      return await operation.run(context, input, principal as never)
    } finally {
      await this.#accessChanged()
    }
  }

  /** Here at once, so that the caller's next request is decided by what it has just written; elsewhere soon. */
  async #accessChanged(): Promise<void> {
    const { accessCache, context } = this.#options
    accessCache.forget()
    await context.bus.publish(accessSubject(context.scope), { type: 'changed' })
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
    const isForm = route.wire === 'query' || route.wire === 'ec2'
    return checkInput(operation.input, isForm ? coerceQuery(operation.input, raw) : raw)
  } catch (error) {
    throw error instanceof AwsError ? inputError(error, route.wire) : error
  }
}
