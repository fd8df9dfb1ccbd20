import { type AwsError, authenticationError } from '@sallyport/protocol/aws/error'
import type { AccessPlan } from '../iam/access-plan.ts'
import { denialMessage } from '../iam/denial.ts'
import { describePrincipal, type Principal } from '../iam/principal.ts'
import type { AnyOperation, Caller, OperationContext } from './operation.ts'
import { nodeResource } from './resources.ts'
import type { Route } from './route.ts'

/** What policies must allow where an operation says nothing of it. */
const ON_EVERYTHING: AccessPlan = { all: [{ resource: '*' }] }

export function actionOf({ service, operation }: Route): string {
  return `${service}:${operation}`
}

/**
 * Denies by default: an operation names the callers it is for, an agent may speak for its own node only, and policies
 * must allow the rest. All of that is before the operation looks at anything: what exists is not told to those who may
 * not see it. Throws the protocol's access-denied.
 */
export async function authorise(
  route: Route,
  operation: AnyOperation,
  input: never,
  principal: Principal,
  context: OperationContext,
): Promise<void> {
  if (operation.callers.includes('anonymous')) return
  checkCaller(route, operation, input, principal, context)
  // Who proved the key that a node registered has no role yet: it is about to ask for it.
  if (principal.kind === 'anonymous' || principal.kind === 'node-key') return
  const plan = (await operation.access?.(input, context, principal as never)) ?? ON_EVERYTHING
  const outcome = await context.access.decide(principal, plan, actionOf(route), context.facts)
  if (outcome.allowed) return
  const message = denialMessage(principal, outcome.check, outcome.decision)
  throw authenticationError('access-denied', route.wire, message)
}

function checkCaller(
  route: Route,
  operation: AnyOperation,
  input: never,
  principal: Principal,
  context: OperationContext,
): void {
  const kind = callerOf(principal)
  if (!operation.callers.includes(kind)) {
    throw refused(route, principal, '*', `it is not for ${KINDS[kind]}`)
  }
  const own = operation.ownNode?.(input)
  if (own === undefined || !('nodeId' in principal) || principal.nodeId === own) return
  throw refused(route, principal, nodeResource(context, own), 'a node may act for itself only')
}

function callerOf({ kind }: Principal): Caller {
  return kind === 'user' || kind === 'role' ? 'person' : kind
}

const KINDS: Readonly<Record<Caller, string>> = {
  person: 'people, only for nodes',
  node: 'nodes',
  'node-key': 'the key of a node, only for the credentials of its role',
  anonymous: 'anonymous callers',
}

function refused(route: Route, principal: Principal, resource: string, why: string): AwsError {
  const message = `User: ${describePrincipal(principal)} is not authorized to perform: ${actionOf(route)} on resource: ${resource} because ${why}`
  return authenticationError('access-denied', route.wire, message)
}
