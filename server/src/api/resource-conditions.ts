import { amazonDocument, documentName } from '../documents/document-name.ts'
import type { AccessCheck, ConditionValues } from '../iam/access-plan.ts'
import { resourceTagConditions } from '../iam/tag-conditions.ts'
import { kindOfNode, nodeResourceTypes } from '../store/node-filters.ts'
import type { OperationContext } from './operation.ts'
import { documentResource, nodeResource } from './resources.ts'

// What operations on one node or one document ask of policies. Of what does not exist nothing is known: whoever may
// not see everything is denied, and cannot tell it from what exists.

export async function nodeCheck(
  context: OperationContext,
  nodeId: string,
  conditions: ConditionValues = {},
): Promise<AccessCheck> {
  const type = nodeResourceTypes[kindOfNode(nodeId)]
  const tags = await context.access.tagsOf(type, nodeId)
  return {
    resource: nodeResource(context, nodeId),
    conditions: { ...resourceTagConditions(tags), ...conditions },
  }
}

/** `given` is a name or an ARN. */
export async function documentCheck(
  context: OperationContext,
  given: string,
  conditions: ConditionValues = {},
): Promise<AccessCheck> {
  return {
    resource: documentResource(context, given),
    conditions: { ...(await documentConditions(context, given)), ...conditions },
  }
}

async function documentConditions(context: OperationContext, given: string): Promise<ConditionValues> {
  const name = documentName(given, context.scope)
  if (name === undefined) return {}
  const amazon = amazonDocument(name)
  if (amazon !== undefined) return { 'ssm:DocumentType': amazon.type }
  const { store, scope, access } = context
  const [document, tags] = await Promise.all([
    store.documents.get(scope, name),
    access.tagsOf('Document', name),
  ])
  if (document === undefined) return {}
  return { ...resourceTagConditions(tags), 'ssm:DocumentType': document.documentType }
}
