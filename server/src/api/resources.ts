import type { OperationContext } from './operation.ts'

// ARNs of what an operation acts on (control-plane.md 34.1).

export function nodeResource({ partition, scope }: OperationContext, nodeId: string): string {
  const { region, accountId } = scope
  return nodeId.startsWith('i-')
    ? `arn:${partition}:ec2:${region}:${accountId}:instance/${nodeId}`
    : `arn:${partition}:ssm:${region}:${accountId}:managed-instance/${nodeId}`
}

export function sessionResource({ partition, scope }: OperationContext, sessionId: string): string {
  return `arn:${partition}:ssm:${scope.region}:${scope.accountId}:session/${sessionId}`
}

/** Documents of Amazon's belong to no account. */
export function documentResource({ partition, scope }: OperationContext, name: string): string {
  if (name.startsWith('arn:')) return name
  const owner = /^AWS-/.test(name) ? '' : scope.accountId
  return `arn:${partition}:ssm:${scope.region}:${owner}:document/${name}`
}
