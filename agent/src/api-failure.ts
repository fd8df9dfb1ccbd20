import type { HttpResponse } from '@sallyport/protocol/transport/node-http'
import { decodeErrorBody } from './error-body.ts'

/** The one call that needs no role: the node's key is enough (control-plane.md 4). */
export const ROLE_TOKEN = 'RequestManagedInstanceRoleToken'

/** The server answered, and the answer is an error. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure'
  readonly operation: string
  readonly code: string
  /** The server's words, without those around them. */
  readonly reason: string
  readonly status: number

  constructor(operation: string, status: number, code: string, message: string) {
    super(`${operation}: ${code}: ${message}`)
    this.operation = operation
    this.code = code
    this.reason = message
    this.status = status
  }

  /** The node's role does not allow what was asked. A node that is not registered (any more) learns that elsewhere. */
  get isRoleRefusal(): boolean {
    return this.code === 'AccessDeniedException' && this.operation !== ROLE_TOKEN
  }

  static of(operation: string, answer: HttpResponse): ApiFailure {
    const { code, message } = decodeErrorBody(answer.body)
    return new ApiFailure(operation, answer.status, code ?? `HTTP ${answer.status}`, message)
  }
}
