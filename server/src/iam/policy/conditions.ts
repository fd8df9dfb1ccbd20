import { BadValue, quoted } from './malformed.ts'
import { OPERATORS, type Operator, type ValueTest } from './operators.ts'
import type { Condition, Effect } from './policy.ts'
import { readTemplate, type Variable, variablesOf } from './template.ts'

/** How the values of a request are counted: `each` is an operator without set operator. */
type Quantifier = 'each' | 'ForAllValues' | 'ForAnyValue'

export type NamedOperator = Operator & { name: string; quantifier: Quantifier; ifExists: boolean }

export type Wanted = { text: string; test: ValueTest; variables: readonly Variable[] }

const NAME = /^(?:([A-Za-z]+):)?([A-Za-z]+?)(IfExists)?$/
const NULL = 'Null'

/** By its whole name, such as `ForAnyValue:StringLikeIfExists`. Throws BadValue if there is none. */
export function readOperator(name: string): NamedOperator {
  const [, prefix, base = '', suffix] = NAME.exec(name) ?? []
  const operator = OPERATORS.get(base)
  if (operator === undefined)
    throw new BadValue(`there is no condition operator ${quoted(name)}${hint(base)}`)
  if (base === NULL && (prefix !== undefined || suffix !== undefined)) {
    throw new BadValue('Null takes no ForAllValues, ForAnyValue or IfExists')
  }
  if (prefix !== undefined && prefix !== 'ForAllValues' && prefix !== 'ForAnyValue') {
    throw new BadValue(`expected ForAllValues or ForAnyValue, found ${quoted(prefix)}`)
  }
  const quantifier = prefix ?? 'each'
  return { ...operator, name, quantifier, ifExists: suffix !== undefined }
}

function hint(base: string): string {
  const lower = base.toLowerCase()
  const meant = [...OPERATORS.keys()].find(name => name.toLowerCase() === lower)
  return meant === undefined ? '' : `: is ${meant} meant?`
}

/** Throws BadValue for what the operator cannot compare with. */
export function readWanted(operator: NamedOperator, text: string, variables: boolean): Wanted {
  const { wildcards } = operator
  const template = readTemplate(text, { wildcards, variables: variables && operator.variables })
  return { text, test: operator.test(template), variables: variablesOf(template) }
}

/** `effect` decides what a key with several values means to an operator without set operator. */
export function makeCondition(
  operator: NamedOperator,
  key: string,
  wanted: readonly Wanted[],
  effect: Effect,
): Condition {
  const lookup = key.toLowerCase()
  const fits = wantedTest(wanted, operator.negated)
  const many = counting(operator.quantifier, effect)
  const missing = holdsWithoutKey(operator)
  const isNull = operator.name === NULL
  return {
    operator: operator.name,
    key,
    wanted: wanted.map(({ text }) => text),
    variables: wanted.flatMap(({ variables }) => variables),
    holds: context => {
      const found = context.get(lookup)
      const absent = found === undefined || found.length === 0
      if (isNull) return fits(String(absent), context)
      return absent ? missing : many(found, value => fits(value, context))
    },
  }
}

/** Of several wanted values one will do; a negated operator holds where none of them is there. */
function wantedTest(wanted: readonly Wanted[], negated: boolean): ValueTest {
  const [first] = wanted
  if (wanted.length === 1 && first !== undefined) {
    const { test } = first
    return negated ? (value, context) => !test(value, context) : test
  }
  return (value, context) => wanted.some(({ test }) => test(value, context)) !== negated
}

/**
 * "If the key is not present, evaluate the condition element as true" (IfExists). ForAllValues is true of nothing at
 * all, ForAnyValue is not, negated or not ("Set operators for multivalued context keys").
 */
function holdsWithoutKey({ quantifier, ifExists, negated }: NamedOperator): boolean {
  if (ifExists || quantifier === 'ForAllValues') return true
  return quantifier === 'each' && negated
}

/**
 * AWS says that a key with several values "requires" a set operator, and not what happens without one. Here such a
 * statement never allows more nor denies less than its author can have meant: to allow, every value must do, and to
 * deny, one is enough. An empty text is a value like any other.
 */
function counting(quantifier: Quantifier, effect: Effect) {
  const every = quantifier === 'ForAllValues' || (quantifier === 'each' && effect === 'Allow')
  return (found: readonly string[], fits: (value: string) => boolean): boolean => {
    const [first] = found
    if (found.length === 1 && first !== undefined) return fits(first)
    return every ? found.every(fits) : found.some(fits)
  }
}
