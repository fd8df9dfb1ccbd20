import { policySize } from '@sallyport/server/store/owner-policies'
import { checkDocument } from './documents.ts'
import { quotaExceeded } from './errors.ts'

/** Characters without white space (IAM User Guide, "IAM and AWS STS quotas"). */
export const MAXIMUM_TRUST_POLICY = 2048

/** Throws `MalformedPolicyDocument`, or `LimitExceeded` for what is too long. */
export function checkTrustPolicy(text: string): void {
  if (policySize(text) > MAXIMUM_TRUST_POLICY) throw quotaExceeded('ACLSizePerRole', MAXIMUM_TRUST_POLICY)
  checkDocument(text, 'trust')
}
