/** First labels of the names that agents and SDKs put together from a service and a domain (control-plane.md 1, 16). */
const SERVICES = [
  'ssm',
  'ssmmessages',
  'ec2messages',
  'ec2',
  'ec2-instance-connect',
  'sts',
  'iam',
  'kms',
  's3',
  'logs',
  'monitoring',
  'cloudtrail',
]

/**
 * The names of a certificate for all services of a domain. Next to the domain they are spelled out, since hosts of
 * others may be there; below the region there is nothing but services, so one `*` does.
 */
export function endpointNames(domain: string, region: string): string[] {
  return [
    domain,
    ...SERVICES.map(service => `${service}.${domain}`),
    // amazon-ssm-agent with Agent.ServiceDomain: `<service>.<region>.<domain>`.
    `*.${region}.${domain}`,
    // Buckets as a part of the host name. A `*` is one label only: RFC 6125, 6.4.3.
    `*.s3.${domain}`,
    `*.s3.${region}.${domain}`,
  ]
}
