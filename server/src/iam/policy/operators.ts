import { isInRange, readAddress, readAddressRange } from './addresses.ts'
import { compileArnPattern, splitArn, splitTemplate } from './arn-pattern.ts'
import type { ContextValues } from './context-values.ts'
import { BadValue } from './malformed.ts'
import { compilePattern } from './pattern.ts'
import { ANY, type Template, textOf, variablesOf } from './template.ts'
import { BINARIES, BOOLEANS, DATES, type Kind, mustBe, NUMBERS, remembering } from './values.ts'

/** Whether one value of the request is what one value of the policy wants. */
export type ValueTest = (found: string, context: ContextValues) => boolean

/** `variables`: whether `${…}` in the wanted text stands for something. Throws BadValue. */
export type Comparison = { test: (wanted: Template) => ValueTest; wildcards: boolean; variables: boolean }

/** A negated operator holds where its positive one does not. */
export type Operator = Comparison & { negated: boolean }

const stringEquals = text(false, (found, wanted) => found === wanted)
const ignoringCase = text(false, (found, wanted) => found.toLowerCase() === wanted.toLowerCase())
const stringLike: Comparison = { wildcards: true, variables: true, test: compilePattern }
const numberEquals = fixed(NUMBERS, (found, wanted) => found === wanted)
const dateEquals = fixed(DATES, (found, wanted) => found === wanted)
const ipAddress: Comparison = { wildcards: false, variables: false, test: addressTest }
/** "ArnEquals and ArnLike behave identically." */
const arnLike: Comparison = { wildcards: true, variables: true, test: arnTest }

/**
 * IAM user guide, "Condition operators". Variables stand for something under string and ARN operators only. Null is
 * asked whether the key is missing.
 */
export const OPERATORS: ReadonlyMap<string, Operator> = new Map(
  Object.entries({
    StringEquals: is(stringEquals),
    StringNotEquals: not(stringEquals),
    StringEqualsIgnoreCase: is(ignoringCase),
    StringNotEqualsIgnoreCase: not(ignoringCase),
    StringLike: is(stringLike),
    StringNotLike: not(stringLike),
    NumericEquals: is(numberEquals),
    NumericNotEquals: not(numberEquals),
    NumericLessThan: is(fixed(NUMBERS, (found, wanted) => found < wanted)),
    NumericLessThanEquals: is(fixed(NUMBERS, (found, wanted) => found <= wanted)),
    NumericGreaterThan: is(fixed(NUMBERS, (found, wanted) => found > wanted)),
    NumericGreaterThanEquals: is(fixed(NUMBERS, (found, wanted) => found >= wanted)),
    DateEquals: is(dateEquals),
    DateNotEquals: not(dateEquals),
    DateLessThan: is(fixed(DATES, (found, wanted) => found < wanted)),
    DateLessThanEquals: is(fixed(DATES, (found, wanted) => found <= wanted)),
    DateGreaterThan: is(fixed(DATES, (found, wanted) => found > wanted)),
    DateGreaterThanEquals: is(fixed(DATES, (found, wanted) => found >= wanted)),
    Bool: is(fixed(BOOLEANS, (found, wanted) => found === wanted)),
    BinaryEquals: is(fixed(BINARIES, (found, wanted) => found === wanted)),
    IpAddress: is(ipAddress),
    NotIpAddress: not(ipAddress),
    ArnEquals: is(arnLike),
    ArnNotEquals: not(arnLike),
    ArnLike: is(arnLike),
    ArnNotLike: not(arnLike),
    Null: is(fixed(BOOLEANS, (found, wanted) => found === wanted)),
  }),
)

function is(comparison: Comparison): Operator {
  return { ...comparison, negated: false }
}

function not(comparison: Comparison): Operator {
  return { ...comparison, negated: true }
}

/** What a variable without value wants, nothing equals. */
function text(wildcards: boolean, compare: (found: string, wanted: string) => boolean): Comparison {
  const test = (template: Template): ValueTest => {
    if (variablesOf(template).length === 0) {
      const wanted = textOf(template, new Map()) ?? ''
      return found => compare(found, wanted)
    }
    return (found, context) => {
      const wanted = textOf(template, context)
      return wanted !== undefined && compare(found, wanted)
    }
  }
  return { wildcards, variables: true, test }
}

/** For values that mean something else than their text. One of the request that cannot be read equals nothing. */
function fixed<T>(kind: Kind<T>, compare: (found: T, wanted: T) => boolean): Comparison {
  const test = (template: Template): ValueTest => {
    const wanted = mustBe(kind, textOf(template, new Map()) ?? '')
    return found => {
      const value = kind.read(found)
      return value !== undefined && compare(value, wanted)
    }
  }
  return { wildcards: false, variables: false, test }
}

const addressOf = remembering(readAddress)

function addressTest(template: Template): ValueTest {
  const range = readAddressRange(textOf(template, new Map()) ?? '')
  return found => {
    const address = addressOf(found)
    return address !== undefined && isInRange(address, range)
  }
}

function arnTest(template: Template): ValueTest {
  const segments = splitTemplate(template)
  const [first = []] = segments
  const open = template.at(-1) === ANY || variablesOf(template).length > 0
  const named = first.length === 1 && first[0] === 'arn'
  if (!(segments.length === 6 ? named : open))
    throw new BadValue('expected an ARN, with or without wildcards')
  const matches = compileArnPattern(template)
  return (found, context) => {
    const arn = splitArn(found)
    return arn !== undefined && matches(arn, context)
  }
}
