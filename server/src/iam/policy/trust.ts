import type { AccessRequest } from './decision.ts'
import { conditionsHold, isAboutAction, questionOf } from './fit.ts'
import type { Policy, PrincipalList } from './policy.ts'

/** Who asks for a role. `arns`: all that name them, a role session's own and its role's. */
export type TrustedParty = { service: string } | { accountId: string; arns: readonly string[] }

/**
 * `account`: the account is trusted, so that the identity policies of whoever asks must allow it too. `direct`: whoever
 * asks is named, or everybody is.
 */
export type TrustDecision = 'denied' | 'no' | 'account' | 'direct'

/** What a trust policy says of one who asks (control-plane.md 34.4); an explicit deny wins. */
export function trusts(policy: Policy, who: TrustedParty, request: AccessRequest): TrustDecision {
  const question = questionOf(request)
  let decision: TrustDecision = 'no'
  for (const statement of policy.statements) {
    const { effect, principals, actions } = statement
    // Without principals it is the policy of an identity, which trusts nobody.
    if (principals === undefined || !isAboutAction(actions, question)) continue
    const named = effect === 'Deny' ? isDenied(principals, who) && 'denied' : allowedAs(principals, who)
    if (!named || !conditionsHold(statement, question.context)) continue
    if (named === 'denied') return 'denied'
    if (decision !== 'direct') decision = named
  }
  return decision
}

/** `*` means people: a service is trusted by its name only, so that no open door leads to a node. */
function allowedAs(principals: PrincipalList, who: TrustedParty): 'account' | 'direct' | undefined {
  if (principals.except) return undefined
  if ('service' in who) return principals.services.includes(who.service) ? 'direct' : undefined
  if (principals.everybody || who.arns.some(arn => principals.arns.includes(arn))) return 'direct'
  return principals.accounts.includes(who.accountId) ? 'account' : undefined
}

/**
 * NotPrincipal spares those only whose account and every ARN are listed: "you must also specify the account ARN of the
 * not-denied principal. Otherwise, the policy might deny access to the entire account" (IAM user guide).
 */
function isDenied(principals: PrincipalList, who: TrustedParty): boolean {
  const { except, everybody, accounts, arns, services } = principals
  if (everybody) return !except
  if ('service' in who) return services.includes(who.service) !== except
  const account = accounts.includes(who.accountId)
  if (except) return !(account && who.arns.every(arn => arns.includes(arn)))
  return account || who.arns.some(arn => arns.includes(arn))
}
