import type { HttpResponse } from '@sallyport/protocol/transport/node-http'
import { decodeErrorBody } from './error-body.ts'

/** The server answered, and the answer is an error. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure'
  readonly code: string
  readonly status: number

  constructor(operation: string, status: number, code: string, message: string) {
    super(`${operation}: ${code}: ${message}`)
    this.code = code
    this.status = status
  }

  static of(operation: string, answer: HttpResponse): ApiFailure {
    const { code, message } = decodeErrorBody(answer.body)
    return new ApiFailure(operation, answer.status, code ?? `HTTP ${answer.status}`, message)
  }
}
