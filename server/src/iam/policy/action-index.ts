import { isAboutAction, type Question } from './fit.ts'
import type { Policy, Statement } from './policy.ts'

/** `index` is the place of the statement in its policy. */
export type IndexedStatement = { statement: Statement; index: number }

/** More than there are operations; names made up by whoever simulates are looked up each time. */
const MAX_ACTIONS = 256
const NONE: readonly IndexedStatement[] = []

const indexes = new WeakMap<Policy, Map<string, readonly IndexedStatement[]>>()

/** The statements of a policy that are about an action, in their order. Found once for each action and policy. */
export function statementsAbout(policy: Policy, question: Question): readonly IndexedStatement[] {
  let index = indexes.get(policy)
  if (index === undefined) {
    index = new Map()
    indexes.set(policy, index)
  }
  const known = index.get(question.action)
  if (known !== undefined) return known
  const found = policy.statements
    .map((statement, place) => ({ statement, index: place }))
    .filter(({ statement }) => isAboutAction(statement.actions, question))
  const statements = found.length === 0 ? NONE : found
  if (index.size < MAX_ACTIONS) index.set(question.action, statements)
  return statements
}
