import { AwsError } from './error.ts'
import type { Shape, ShapeBody } from './shape-builders.ts'

export { type Infer, type Shape, s } from './shape-builders.ts'

/** Longer values are cut where a message quotes them. */
const MAX_QUOTED = 128
const MAX_QUOTED_ELEMENTS = 8
const MAX_REPORTED = 10
const NOT_NULL = 'Member must not be null'

/**
 * Checks what a caller sent and returns it as the type of the shape: unknown members dropped, null members absent,
 * timestamps in milliseconds. Throws AwsError `SerializationException` for a value of the wrong type and
 * `ValidationException`, in AWS's wording, with all violations of constraints.
 */
export function checkInput<T>(shape: Shape<T>, value: unknown): T {
  const converted = convert(shape, value ?? {}, '')
  const violations: string[] = []
  validate(shape, converted, '', violations)
  if (violations.length === 0) return converted as T
  const count = `${violations.length} validation error${violations.length === 1 ? '' : 's'} detected: `
  const more = violations.length > MAX_REPORTED ? `; and ${violations.length - MAX_REPORTED} more` : ''
  throw new AwsError('ValidationException', count + violations.slice(0, MAX_REPORTED).join('; ') + more)
}

// First the types, as AWS does: a request that cannot be read is not validated. Null elements stay for `validate`.
function convert(shape: ShapeBody, value: unknown, path: string): unknown {
  switch (shape.kind) {
    case 'string':
      return typeof value === 'string' ? value : mismatch(value, 'a String', path)
    case 'integer':
      return isInt32(value) ? value : mismatch(value, 'an Integer', path)
    case 'boolean':
      return typeof value === 'boolean' ? value : mismatch(value, 'a Boolean', path)
    case 'timestamp':
      return isTimestamp(value)
        ? Math.round(value * 1000)
        : mismatch(value, 'a Timestamp (seconds since 1970)', path)
    case 'list':
      if (!Array.isArray(value)) return mismatch(value, 'a List', path)
      if (value.length > shape.max) return tooMany(path, value.length, shape.max)
      return value.map((element, i) => orNull(shape.element, element, `${path}.${i + 1}.member`))
    case 'map':
      return convertMap(shape, value, path)
    case 'structure':
      return convertStructure(shape, value, path)
  }
}

function convertMap(shape: ShapeBody & { kind: 'map' }, value: unknown, path: string): unknown {
  if (!isObject(value)) return mismatch(value, 'a Map', path)
  const keys = Object.keys(value)
  if (keys.length > shape.max) return tooMany(path, keys.length, shape.max)
  const converted: Record<string, unknown> = Object.create(null)
  for (const key of keys) converted[key] = orNull(shape.value, value[key], `${path}.${quote(key)}.member`)
  return converted
}

function convertStructure(shape: ShapeBody & { kind: 'structure' }, value: unknown, path: string): unknown {
  if (!isObject(value)) return mismatch(value, 'a Structure', path)
  const converted: Record<string, unknown> = {}
  for (const [name, member] of Object.entries(shape.members)) {
    const given = Object.hasOwn(value, name) ? value[name] : undefined
    if (given !== undefined && given !== null) converted[name] = convert(member, given, join(path, name))
  }
  return converted
}

function orNull(shape: ShapeBody, value: unknown, path: string): unknown {
  return value === undefined || value === null ? null : convert(shape, value, path)
}

function validate(shape: ShapeBody, value: unknown, path: string, violations: string[]): void {
  if (value === null || value === undefined) {
    violations.push(violation('null', path, NOT_NULL))
    return
  }
  for (const constraint of shape.constraints) {
    if (!constraint.holds(value))
      violations.push(violation(`'${describe(shape, value)}'`, path, constraint.text))
  }
  if (shape.kind === 'structure') {
    const given = value as Record<string, unknown>
    for (const [name, member] of Object.entries(shape.members)) {
      // By own key: a member named `constructor` must not find the one every object inherits.
      const each = Object.hasOwn(given, name) ? given[name] : undefined
      if (each !== undefined || shape.required.has(name)) {
        validate(member, each, join(path, name), violations)
      }
    }
  } else if (shape.kind === 'list') validateList(shape, value as unknown[], path, violations)
  else if (shape.kind === 'map') validateMap(shape, value as Record<string, unknown>, path, violations)
}

// AWS reports the members of a structure in a list one by one, but plain elements together on their list.
function validateList(
  shape: ShapeBody & { kind: 'list' },
  value: readonly unknown[],
  path: string,
  violations: string[],
): void {
  if (holdsStructure(shape.element)) {
    value.forEach((element, i) => {
      validate(shape.element, element, `${path}.${i + 1}.member`, violations)
    })
  } else if (!value.every(element => satisfies(shape.element, element))) {
    violations.push(violation(`'${describe(shape, value)}'`, path, elementText(shape.element)))
  }
}

function validateMap(
  shape: ShapeBody & { kind: 'map' },
  value: Readonly<Record<string, unknown>>,
  path: string,
  violations: string[],
): void {
  const quoted = () => `'${describe(shape, value)}'`
  if (!Object.keys(value).every(key => satisfies(shape.key, key))) {
    const text = `Map keys must satisfy constraint: [${constraintTexts(shape.key).join(', ')}]`
    violations.push(violation(quoted(), path, text))
  }
  if (holdsStructure(shape.value)) {
    for (const [key, element] of Object.entries(value)) {
      validate(shape.value, element, `${path}.${quote(key)}.member`, violations)
    }
  } else if (!Object.values(value).every(element => satisfies(shape.value, element))) {
    const text = `Map value must satisfy constraint: [${constraintTexts(shape.value).join(', ')}]`
    violations.push(violation(quoted(), path, text))
  }
}

function satisfies(shape: ShapeBody, value: unknown): boolean {
  const violations: string[] = []
  validate(shape, value, '', violations)
  return violations.length === 0
}

function holdsStructure(shape: ShapeBody): boolean {
  if (shape.kind === 'list') return holdsStructure(shape.element)
  if (shape.kind === 'map') return holdsStructure(shape.value)
  return shape.kind === 'structure'
}

function elementText(element: ShapeBody): string {
  return `Member must satisfy constraint: [${constraintTexts(element).join(', ')}]`
}

function constraintTexts(shape: ShapeBody): string[] {
  const texts = shape.constraints.map(constraint => constraint.text)
  if (shape.kind === 'list') texts.push(elementText(shape.element))
  return [...texts, NOT_NULL]
}

function violation(value: string, path: string, constraint: string): string {
  return `Value ${value} at '${path}' failed to satisfy constraint: ${constraint}`
}

/** AWS writes paths with the first letter of each member in lower case. */
function join(path: string, member: string): string {
  const name = member.charAt(0).toLowerCase() + member.slice(1)
  return path === '' ? name : `${path}.${name}`
}

function describe(shape: ShapeBody, value: unknown): string {
  return quote(plain(shape, value))
}

function plain(shape: ShapeBody, value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (shape.kind === 'string') return shape.sensitive ? '***' : String(value).slice(0, MAX_QUOTED + 1)
  if (shape.kind === 'list') {
    return `[${(value as unknown[])
      .slice(0, MAX_QUOTED_ELEMENTS)
      .map(each => plain(shape.element, each))
      .join(', ')}]`
  }
  if (shape.kind === 'map') {
    const entries = Object.entries(value as object).slice(0, MAX_QUOTED_ELEMENTS)
    return `{${entries.map(([key, each]) => `${key.slice(0, MAX_QUOTED)}=${plain(shape.value, each)}`).join(', ')}}`
  }
  return String(value)
}

/** Cut to a sane length, and without control characters, which would reach somebody's terminal. */
function quote(text: string): string {
  const cut = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}...` : text
  return cut.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '\ufffd')
}

function mismatch(value: unknown, expected: string, path: string): never {
  const place = path === '' ? '' : ` at '${path}'`
  throw new AwsError(
    'SerializationException',
    `${typeName(value)} can not be converted to ${expected}${place}`,
  )
}

// Counted before the elements are converted, so that a huge list costs nothing.
function tooMany(path: string, count: number, max: number): never {
  const text = `Member must have length less than or equal to ${max}`
  throw new AwsError(
    'ValidationException',
    `1 validation error detected: ${violation(`'[${count} elements]'`, path, text)}`,
  )
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'LIST_VALUE'
  if (value === null) return 'NULL_VALUE'
  if (typeof value === 'number') return Number.isInteger(value) ? 'NUMBER_VALUE' : 'DECIMAL_VALUE'
  return typeof value === 'object' ? 'STRUCTURE_VALUE' : `${(typeof value).toUpperCase()}_VALUE`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isInt32(value: unknown): value is number {
  return typeof value === 'number' && (value | 0) === value
}

/** Seconds that a Date can hold (ECMA-262 21.4.1.1). */
function isTimestamp(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= 8.64e12
}
