import { documentName } from '../documents/document-name.ts'
import { documentArn, nodeArn } from '../iam/arns.ts'
import type { OperationContext } from './operation.ts'

// ARNs of what an operation acts on (control-plane.md 34.1).

export const nodeResource: (context: OperationContext, nodeId: string) => string = nodeArn

/** However a document of ours is given, its ARN is the same. */
export function documentResource(context: OperationContext, given: string): string {
  const name = documentName(given, context.scope)
  return name === undefined ? given : documentArn(context, name)
}
