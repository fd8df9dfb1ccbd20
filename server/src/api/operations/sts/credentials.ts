import type { StsCredentials } from '@sallyport/protocol/api/sts'
import type { TemporaryCredentials } from '@sallyport/server/iam/session-credentials'

const SECOND = 1000

/** As STS writes them. What is told of the end is never later than the end. */
export function toStsCredentials(issued: TemporaryCredentials): StsCredentials {
  return {
    AccessKeyId: issued.accessKeyId,
    SecretAccessKey: issued.secretAccessKey,
    SessionToken: issued.sessionToken,
    Expiration: new Date(Math.floor(issued.expiresAt / SECOND) * SECOND),
  }
}
