/** The parts of an Amazon Resource Name. `region` and `accountId` may be empty, `resource` may hold colons. */
export type Arn = {
  readonly partition: string
  readonly service: string
  readonly region: string
  readonly accountId: string
  readonly resource: string
}

/** AWS documents 2048 as the longest ARN of any service. */
const MAX_ARN_LENGTH = 2048

/** Reads `arn:partition:service:region:account-id:resource`. Throws an Error that says which part is wrong. */
export function parseArn(text: string): Arn {
  if (text.length > MAX_ARN_LENGTH) throw malformed(text, `longer than ${MAX_ARN_LENGTH} characters`)
  const [prefix, partition, service, region, accountId, ...rest] = text.split(':')
  if (prefix !== 'arn') throw malformed(text, 'it must begin with "arn:"')
  if (region === undefined || accountId === undefined || rest.length === 0) {
    throw malformed(text, 'expected arn:partition:service:region:account-id:resource')
  }
  if (!partition) throw malformed(text, 'the partition is empty')
  if (!service) throw malformed(text, 'the service is empty')
  const resource = rest.join(':')
  if (resource === '') throw malformed(text, 'the resource is empty')
  return { partition, service, region, accountId, resource }
}

export function formatArn(arn: Arn): string {
  return `arn:${arn.partition}:${arn.service}:${arn.region}:${arn.accountId}:${arn.resource}`
}

function malformed(text: string, reason: string): Error {
  return new Error(`malformed ARN ${JSON.stringify(text.slice(0, 100))}: ${reason}`)
}
