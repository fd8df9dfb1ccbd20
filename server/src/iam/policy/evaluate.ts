import { type IndexedStatement, statementsAbout } from './action-index.ts'
import type {
  AccessRequest,
  Decision,
  Layer,
  NamedPolicy,
  PolicySet,
  StatementPlace,
  UnmetCondition,
} from './decision.ts'
import { conditionsHold, isAboutResource, type Question, questionOf } from './fit.ts'
import type { Statement } from './policy.ts'

const ALLOWED: Decision = { allowed: true }

/** An Allow about the request whose conditions do not hold. */
type Candidate = IndexedStatement & { policy: NamedPolicy }

/**
 * Denies first, then allows, layer by layer (IAM user guide, "Policy evaluation logic"; control-plane.md 34.4): an
 * explicit deny anywhere wins, and every layer that there is must allow.
 */
export function evaluate(set: PolicySet, request: AccessRequest): Decision {
  const question = questionOf(request)
  let silent: Decision | undefined
  for (const [layer, policies] of layersOf(set)) {
    const answer = answerOf(policies, question)
    if (answer === 'allow') continue
    if ('by' in answer) return { allowed: false, reason: 'explicit-deny', layer, by: answer.by }
    silent ??= notAllowed(layer, answer.candidates, question)
  }
  return silent ?? ALLOWED
}

/** In the order in which a decision names them. */
export function layersOf({ identity, boundary, session }: PolicySet): Array<[Layer, readonly NamedPolicy[]]> {
  const layers: Array<[Layer, readonly NamedPolicy[]]> = [['identity', identity]]
  if (boundary !== undefined) layers.push(['boundary', [boundary]])
  if (session !== undefined) layers.push(['session', session])
  return layers
}

type Answer = 'allow' | { by: StatementPlace } | { candidates: readonly Candidate[] }

/** Whether the policies allow, or the statement that denies. */
function answerOf(policies: readonly NamedPolicy[], question: Question): Answer {
  let allowed = false
  const candidates: Candidate[] = []
  for (const policy of policies) {
    for (const { statement, index } of statementsAbout(policy.policy, question)) {
      if ((allowed && statement.effect === 'Allow') || !isAboutResource(statement, question)) continue
      if (!conditionsHold(statement, question.context)) {
        if (statement.effect === 'Allow') candidates.push({ policy, statement, index })
        continue
      }
      if (statement.effect === 'Deny') return { by: placeOf(policy, index, statement) }
      allowed = true
    }
  }
  return allowed ? 'allow' : { candidates }
}

export function placeOf(policy: NamedPolicy, index: number, { sid }: Statement): StatementPlace {
  return { policy, index, ...(sid === undefined ? {} : { sid }) }
}

/** With the Allow that came nearest: the first with the fewest unmet conditions. */
function notAllowed(layer: Layer, candidates: readonly Candidate[], question: Question): Decision {
  let nearest: { candidate: Candidate; unmet: UnmetCondition[] } | undefined
  for (const candidate of candidates) {
    const unmet = unmetConditions(candidate.statement, question)
    if (nearest === undefined || unmet.length < nearest.unmet.length) nearest = { candidate, unmet }
    if (unmet.length === 1) break
  }
  if (nearest === undefined) return { allowed: false, reason: 'no-statement', layer }
  const { policy, index, statement } = nearest.candidate
  const place = { ...placeOf(policy, index, statement), unmet: nearest.unmet }
  return { allowed: false, reason: 'no-statement', layer, nearest: place }
}

export function unmetConditions({ conditions }: Statement, { context }: Question): UnmetCondition[] {
  return conditions
    .filter(condition => !condition.holds(context))
    .map(({ operator, key, wanted }) => ({ operator, key, wanted, found: context.get(key.toLowerCase()) }))
}
