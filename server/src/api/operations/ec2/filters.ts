import type { Ec2Filter } from '@sallyport/protocol/api/ec2'
import { AwsError } from '@sallyport/protocol/aws/error'

/** What a filter looks at: the values that something has for it. It need have none. */
export type Filterable<T> = (item: T) => readonly string[]

export type Filters<T> = {
  named: Readonly<Record<string, Filterable<T>>>
  /** `tag:<key>`, where there are tags. */
  tag?: (item: T, key: string) => string | undefined
}

/** AWS's own bound. Each is compared with every instance that there is. */
const MAXIMUM_VALUES = 200
const TAG_PREFIX = 'tag:'

/** Whether something fits all filters, each by one of its values. Throws for a filter that there is not. */
export function matcherOf<T>(
  { named, tag }: Filters<T>,
  given: readonly Ec2Filter[] = [],
): (item: T) => boolean {
  const count = given.reduce((sum, { Value = [] }) => sum + Value.length, 0)
  if (count > MAXIMUM_VALUES) {
    throw new AwsError('FilterLimitExceeded', `A request can have ${MAXIMUM_VALUES} filter values at most.`)
  }
  const tests = given.map(({ Name, Value = [] }) => {
    const valuesOf = lookUp(Name)
    const patterns = Value.map(compile)
    return (item: T) => valuesOf(item).some(value => patterns.some(matches => matches(value)))
  })
  return item => tests.every(test => test(item))

  function lookUp(name: string): Filterable<T> {
    if (tag !== undefined && name.startsWith(TAG_PREFIX)) {
      const key = name.slice(TAG_PREFIX.length)
      return item => {
        const value = tag(item, key)
        return value === undefined ? [] : [value]
      }
    }
    const found = Object.hasOwn(named, name) ? named[name] : undefined
    if (found !== undefined) return found
    const known = [...Object.keys(named), ...(tag === undefined ? [] : ['tag:<key>'])].join(', ')
    throw new AwsError('InvalidParameterValue', `The filter '${name}' is invalid. Filters are ${known}.`)
  }
}

const ANY = Symbol('any characters')
const ONE = Symbol('one character')
type Part = string | typeof ANY | typeof ONE

/** `*` and `?` are wildcards unless a backslash is before them (AWS CLI, `describe-instances --filters`). */
function compile(text: string): (value: string) => boolean {
  const parts: Part[] = []
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at)
    if (character === '\\' && at + 1 < text.length) parts.push(text.charAt(++at))
    else parts.push(character === '*' ? ANY : character === '?' ? ONE : character)
  }
  if (parts.every(part => typeof part === 'string')) {
    const wanted = parts.join('')
    return value => value === wanted
  }
  return value => matches(parts, value)
}

/** Goes back to the last `*` only, which is enough: no choice of patterns makes it exponential. */
function matches(parts: readonly Part[], value: string): boolean {
  let part = 0
  let at = 0
  let star = -1
  let resume = 0
  while (at < value.length) {
    if (parts[part] === ONE || parts[part] === value.charAt(at)) {
      part += 1
      at += 1
    } else if (parts[part] === ANY) {
      star = part++
      resume = at
    } else if (star >= 0) {
      part = star + 1
      at = ++resume
    } else {
      return false
    }
  }
  while (parts[part] === ANY) part += 1
  return part === parts.length
}
