import type { HttpRequest } from '@sallyport/protocol/aws/sigv4'

/** An HTTP request, read whole. */
export type ApiRequest = HttpRequest & {
  /** Ours, in every answer and log line about this request. */
  id: string
  /** As the caller addressed us: scheme, host and port. */
  origin: string
  remoteAddress: string
  /** Aborted when nobody waits for the answer any more. */
  gone: AbortSignal
}
