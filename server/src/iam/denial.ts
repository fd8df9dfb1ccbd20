import type { DeniedCheck } from './access.ts'
import type { Decision, Layer, NearMiss, StatementPlace } from './policy/decision.ts'
import type { NodePrincipal, Person } from './principal.ts'

/**
 * Keys that say what a resource is like. Which of the two is the matter with them would tell what exists from what does
 * not (security-cases.md 9).
 */
const OF_THE_RESOURCE = /:resourcetag\/|^ssm:documenttype$|^iam:permissionsboundary$/i

/** With the article that the sentences of an explicit deny have (control-plane.md 18.2). */
const LAYERS: Readonly<Record<Layer, readonly [plain: string, withArticle: string]>> = {
  identity: ['identity-based policy', 'an identity-based policy'],
  boundary: ['permissions boundary', 'a permissions boundary'],
  session: ['session policy', 'a session policy'],
}

/**
 * Why somebody may not do something, in AWS's words, which tools read, and then as much more as helps whoever writes
 * the policies. It names policies, statements and keys of the caller's own, never the values that a condition wants.
 */
export function denialMessage(
  principal: Person | NodePrincipal,
  check: DeniedCheck,
  decision: Decision & { allowed: false },
): string {
  const { action, resource, shown = resource } = check
  const start = `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${shown}`
  const [plain, withArticle] = LAYERS[decision.layer]
  if (decision.reason === 'explicit-deny') {
    return `${start} with an explicit deny in ${withArticle}: ${place(decision.by)}${ofNode(principal)}`
  }
  const why = `${start} because no ${plain} allows the ${action} action`
  const near = decision.nearest === undefined ? '' : nearMiss(decision.nearest)
  return `${why}${near}${ofNode(principal)}`
}

/** People count statements from 1. */
function statement({ sid, index }: StatementPlace): string {
  return `statement ${sid ?? index + 1}`
}

function place(by: StatementPlace): string {
  return `${by.policy.name} (${statement(by)})`
}

function nearMiss(near: NearMiss): string {
  const [unmet] = near.unmet
  if (unmet === undefined) return ''
  const { operator, key, found } = unmet
  const state = found === undefined || found.length === 0 ? 'is not set' : 'differs'
  return `: ${statement(near)} of ${near.policy.name} would allow it, but its condition ${operator} on ${key} does not hold (${key} ${OF_THE_RESOURCE.test(key) ? 'is not set or differs' : state})`
}

function ofNode(principal: Person | NodePrincipal): string {
  if (principal.kind !== 'node') return ''
  const { nodeId, roleName } = principal
  return roleName === null
    ? `. Node ${nodeId} has no role`
    : `. Node ${nodeId} has the role ${roleName}: its policies decide`
}
