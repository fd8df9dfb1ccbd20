import { AwsError } from '@sallyport/protocol/aws/error'
import { MalformedPolicyError, parsePolicy } from '@sallyport/server/iam/policy/parse'
import type { Policy } from '@sallyport/server/iam/policy/policy'
import { policySize } from '@sallyport/server/store/owner-policies'
import { quotaExceeded } from './errors.ts'

/** docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
export const MAXIMUM_MANAGED_SIZE = 6_144

/** A policy as IAM answers with it: percent-encoded after RFC 3986 (control-plane.md 29). */
export function encodeDocument(text: string): string {
  // encodeURIComponent leaves what RFC 2396 did; RFC 3986 2.2 reserves them.
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** Throws `MalformedPolicyDocument`, which says where and why. */
export function checkDocument(text: string, kind: 'identity' | 'trust' = 'identity'): Policy {
  try {
    return parsePolicy(text, kind)
  } catch (error) {
    if (!(error instanceof MalformedPolicyError)) throw error
    throw new AwsError('MalformedPolicyDocument', error.message, { cause: error })
  }
}

/** Throws `MalformedPolicyDocument`, or `LimitExceeded` for what is too long. */
export function checkManagedDocument(text: string): void {
  if (policySize(text) > MAXIMUM_MANAGED_SIZE) {
    throw quotaExceeded('PolicySize', MAXIMUM_MANAGED_SIZE)
  }
  checkDocument(text)
}
