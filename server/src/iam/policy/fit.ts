import { type ArnSegments, splitArn } from './arn-pattern.ts'
import type { ContextValues } from './context-values.ts'
import type { AccessRequest } from './decision.ts'
import type { ActionList, Statement } from './policy.ts'
import { substitute } from './template.ts'

/** A request, taken apart once for all the statements that it meets. */
export type Question = {
  /** In lower case, as are its two parts. */
  action: string
  service: string
  actionName: string
  resource: string
  segments: ArnSegments | undefined
  context: ContextValues
}

export function questionOf({ action, resource, context }: AccessRequest): Question {
  const lower = action.toLowerCase()
  const colon = lower.indexOf(':')
  return {
    action: lower,
    service: lower.slice(0, Math.max(colon, 0)),
    actionName: lower.slice(colon + 1),
    resource,
    segments: splitArn(resource),
    context,
  }
}

export function isAboutAction({ except, patterns }: ActionList, { service, actionName }: Question): boolean {
  for (const pattern of patterns) {
    if ((pattern.service === service || pattern.service === '*') && pattern.matches(actionName))
      return !except
  }
  return except
}

/**
 * A variable without value makes a pattern match nothing. Under NotResource that would make the statement match
 * everything: a Deny does so, and an Allow does not, or a missing tag would give more than any tag can.
 */
export function isAboutResource({ effect, resources }: Statement, question: Question): boolean {
  if (resources === undefined) return true
  const { except, patterns, variables } = resources
  const { resource, segments, context } = question
  if (except && effect === 'Allow' && variables.length > 0) {
    if (variables.some(variable => substitute(variable, context) === undefined)) return false
  }
  for (const pattern of patterns) if (pattern(resource, segments, context)) return !except
  return except
}

export function conditionsHold({ conditions }: Statement, context: ContextValues): boolean {
  for (const condition of conditions) if (!condition.holds(context)) return false
  return true
}
