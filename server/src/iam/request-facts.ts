/** What conditions may ask of any request. */
export type RequestFacts = {
  /** Milliseconds since the epoch: aws:CurrentTime, aws:EpochTime. */
  now: number
  /** aws:SourceIp; IPv4 addresses are written as such, never mapped into IPv6. */
  sourceIp: string
  /** aws:SecureTransport */
  secureTransport: boolean
  /** aws:UserAgent, at most 512 characters. */
  userAgent: string
  /** aws:Referer */
  referer?: string
}
