import { statementsAbout } from './action-index.ts'
import type { AccessRequest, Decision, Layer, NearMiss, PolicySet, StatementPlace } from './decision.ts'
import { evaluate, layersOf, placeOf, unmetConditions } from './evaluate.ts'
import { isAboutResource, questionOf } from './fit.ts'
import type { Effect, Statement } from './policy.ts'

type Role = { layer: Layer; effect: Effect }

export type Explanation = {
  decision: Decision
  /** Statements that allow or deny the request. */
  matched: Array<StatementPlace & Role>
  /** Statements about the action and the resource whose conditions do not hold. */
  nearMisses: Array<NearMiss & Role>
  /** As the policies spell them: what statements about the action ask for and the request does not have. */
  missingKeys: string[]
}

/** What `evaluate` decides, and everything that bears on it. */
export function explain(set: PolicySet, request: AccessRequest): Explanation {
  const question = questionOf(request)
  const matched: Explanation['matched'] = []
  const nearMisses: Explanation['nearMisses'] = []
  const missing = new Map<string, string>()
  for (const [layer, policies] of layersOf(set)) {
    for (const policy of policies) {
      for (const { statement, index } of statementsAbout(policy.policy, question)) {
        for (const key of keysOf(statement)) {
          const lookup = key.toLowerCase()
          if (!request.context.get(lookup)?.length && !missing.has(lookup)) missing.set(lookup, key)
        }
        if (!isAboutResource(statement, question)) continue
        const place = { ...placeOf(policy, index, statement), layer, effect: statement.effect }
        const unmet = unmetConditions(statement, question)
        if (unmet.length === 0) matched.push(place)
        else nearMisses.push({ ...place, unmet })
      }
    }
  }
  return { decision: evaluate(set, request), matched, nearMisses, missingKeys: [...missing.values()] }
}

/** Of conditions, and of variables anywhere, those with a default included. */
function keysOf({ conditions, resources }: Statement): string[] {
  const variables = [...(resources?.variables ?? []), ...conditions.flatMap(condition => condition.variables)]
  return [...variables.map(({ spelling }) => spelling), ...conditions.map(({ key }) => key)]
}
