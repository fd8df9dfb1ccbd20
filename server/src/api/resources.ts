import { documentName } from '../documents/document-name.ts'
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

export function userResource({ partition, scope }: OperationContext, userName: string): string {
  return `arn:${partition}:iam::${scope.accountId}:user/${userName}`
}

/** Documents of Amazon's belong to no account. However a document of ours is given, its ARN is the same. */
export function documentResource({ partition, scope }: OperationContext, given: string): string {
  const name = documentName(given, scope)
  if (name === undefined) return given
  const owner = /^AWS-/.test(name) ? '' : scope.accountId
  return `arn:${partition}:ssm:${scope.region}:${owner}:document/${name}`
}
