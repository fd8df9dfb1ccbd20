import { type AwsPolicyText, awsPolicyTexts } from './aws-managed-policy-texts.ts'

/** A policy of AWS's own, as everybody finds it in his account. `document` is JSON. */
export type AwsManagedPolicy = Omit<AwsPolicyText, 'statements'> & {
  policyArn: string
  document: string
}

const ARN = /^arn:(aws[a-z-]{0,30}):iam::aws:policy\//
/** Of which policies are kept. A server is in one; ARNs of others come from whoever asks. */
const MAXIMUM_PARTITIONS = 8

const byPartition = new Map<string, readonly AwsManagedPolicy[]>()

/** The policy of that ARN, in whichever partition the ARN is. */
export function awsManagedPolicy(arn: string): AwsManagedPolicy | undefined {
  const [, partition] = ARN.exec(arn) ?? []
  if (partition === undefined) return undefined
  return awsManagedPolicies(partition).find(({ policyArn }) => policyArn === arn)
}

/** All of them, with the ARNs of a partition (`aws`, `aws-cn`, …), by name. */
export function awsManagedPolicies(partition: string): readonly AwsManagedPolicy[] {
  const known = byPartition.get(partition)
  if (known !== undefined) return known
  const policies = awsPolicyTexts.map(({ statements, ...text }) => {
    const document = JSON.stringify({ Version: '2012-10-17', Statement: statements }, null, 2)
    return {
      ...text,
      policyArn: `arn:${partition}:iam::aws:policy${text.path}${text.policyName}`,
      // Where they name resources, they name those of their own partition.
      document: document.replaceAll('arn:aws:', `arn:${partition}:`),
    }
  })
  if (byPartition.size >= MAXIMUM_PARTITIONS) byPartition.clear()
  byPartition.set(partition, policies)
  return policies
}
