import type { HttpRequest } from '@sallyport/protocol/aws/sigv4'
import { headerValues } from '@sallyport/protocol/aws/sigv4-canonical'
import type { RequestFacts } from '../iam/request-facts.ts'

/** Policies match programs by the beginning of what they call themselves; the rest may be as long as they like. */
const MAXIMUM_USER_AGENT = 512

/** An HTTP request, read whole. */
export type ApiRequest = HttpRequest & {
  /** Ours, in every answer and log line about this request. */
  id: string
  /** As the caller addressed us: scheme, host and port. */
  origin: string
  remoteAddress: string
  /** It came over TLS. */
  secure: boolean
  /** Aborted when nobody waits for the answer any more. */
  gone: AbortSignal
}

/**
 * What conditions may ask of a request. The address is that of the connection: whatever a forwarding header says, its
 * writer might be anybody (security-cases.md 25).
 */
export function factsOf(request: ApiRequest, now: number): RequestFacts {
  const [userAgent = ''] = headerValues(request, 'user-agent')
  const [referer] = headerValues(request, 'referer')
  return {
    now,
    sourceIp: plainAddress(request.remoteAddress),
    secureTransport: request.secure,
    userAgent: userAgent.slice(0, MAXIMUM_USER_AGENT),
    ...(referer !== undefined && { referer }),
  }
}

const MAPPED = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i
const ZONE = /%.*$/

/** A listener for both families has IPv4 peers mapped into IPv6 (RFC 4291 2.5.5.2), which no policy is written for. */
function plainAddress(address: string): string {
  return address.replace(MAPPED, '').replace(ZONE, '')
}
