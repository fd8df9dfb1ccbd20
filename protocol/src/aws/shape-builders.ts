// The shapes of inputs as data. Named and constrained as in Smithy, whose models AWS publishes.

/** A condition on a value of the right type, and AWS's words for it. */
export type Constraint = { readonly text: string; holds(value: unknown): boolean }

type Common = { readonly constraints: readonly Constraint[] }

export type ShapeBody = Common &
  (
    | { readonly kind: 'string'; readonly sensitive: boolean }
    | { readonly kind: 'integer' | 'boolean' | 'timestamp' }
    | { readonly kind: 'list'; readonly max: number; readonly element: ShapeBody }
    | { readonly kind: 'map'; readonly max: number; readonly key: ShapeBody; readonly value: ShapeBody }
    | {
        readonly kind: 'structure'
        readonly members: Readonly<Record<string, ShapeBody>>
        readonly required: ReadonlySet<string>
      }
  )

/** A shape whose checked values have the type T. `type` exists for the compiler only. */
export type Shape<T> = ShapeBody & { readonly type?: T }

export type Infer<S> = S extends { readonly type?: infer T } ? Exclude<T, undefined> : never

type Flat<T> = { [K in keyof T]: T[K] }
type Members = Readonly<Record<string, Shape<unknown>>>
type StructureOf<M extends Members, R extends keyof M> = Flat<
  { readonly [K in R]: Infer<M[K]> } & { readonly [K in Exclude<keyof M, R>]?: Infer<M[K]> | undefined }
>

type Range = { readonly min?: number; readonly max?: number }

/** Bounds every list and map for which AWS's model names no maximum. */
const DEFAULT_MAX_ELEMENTS = 1000

/**
 * Lengths are in code points. `pattern` is the source of a regular expression, has to match the whole text and must
 * match in linear time. A `sensitive` value is never quoted in a message.
 */
function string<const E extends string = string>(
  rules: Range & {
    readonly pattern?: string
    readonly enum?: readonly E[]
    readonly sensitive?: boolean
  } = {},
): Shape<E> {
  const constraints = lengths(rules, value => codePoints(value as string))
  if (rules.pattern !== undefined) {
    const pattern = new RegExp(`^(?:${rules.pattern})$`, rules.pattern.includes('\\p{') ? 'u' : '')
    constraints.push({
      text: `Member must satisfy regular expression pattern: ${rules.pattern}`,
      holds: value => pattern.test(value as string),
    })
  }
  if (rules.enum !== undefined) {
    const allowed = new Set<unknown>(rules.enum)
    constraints.push({
      text: `Member must satisfy enum value set: [${rules.enum.join(', ')}]`,
      holds: value => allowed.has(value),
    })
  }
  return { kind: 'string', constraints, sensitive: rules.sensitive ?? false }
}

/** A 32-bit integer. */
function integer(rules: Range = {}): Shape<number> {
  const constraints: Constraint[] = []
  const { min, max } = rules
  if (max !== undefined) {
    constraints.push({
      text: `Member must have value less than or equal to ${max}`,
      holds: value => (value as number) <= max,
    })
  }
  if (min !== undefined) {
    constraints.push({
      text: `Member must have value greater than or equal to ${min}`,
      holds: value => (value as number) >= min,
    })
  }
  return { kind: 'integer', constraints }
}

function boolean(): Shape<boolean> {
  return { kind: 'boolean', constraints: [] }
}

/** On the wire a number of seconds since 1970, fractions allowed; checked it is **milliseconds** since 1970. */
function timestamp(): Shape<number> {
  return { kind: 'timestamp', constraints: [] }
}

function list<T>(element: Shape<T>, rules: Range = {}): Shape<readonly T[]> {
  const max = rules.max ?? DEFAULT_MAX_ELEMENTS
  const constraints = lengths({ ...rules, max }, value => (value as readonly unknown[]).length)
  return { kind: 'list', max, element, constraints }
}

/** Checked, a map is an object without prototype: no key of a caller reaches one that is inherited. */
function map<T>(key: Shape<string>, value: Shape<T>, rules: Range = {}): Shape<Readonly<Record<string, T>>> {
  const max = rules.max ?? DEFAULT_MAX_ELEMENTS
  const constraints = lengths({ ...rules, max }, found => Object.keys(found as object).length)
  return { kind: 'map', max, key, value, constraints }
}

/** Members that are not `required` are optional. Members the shape does not name are dropped. */
function structure<M extends Members, R extends keyof M & string = never>(
  members: M,
  rules: { readonly required?: readonly R[] } = {},
): Shape<StructureOf<M, R>> {
  return { kind: 'structure', members, required: new Set(rules.required ?? []), constraints: [] }
}

export const s = { string, integer, boolean, timestamp, list, map, structure }

function lengths(rules: Range, lengthOf: (value: unknown) => number): Constraint[] {
  const constraints: Constraint[] = []
  const { min, max } = rules
  if (max !== undefined) {
    constraints.push({
      text: `Member must have length less than or equal to ${max}`,
      holds: value => lengthOf(value) <= max,
    })
  }
  if (min !== undefined) {
    constraints.push({
      text: `Member must have length greater than or equal to ${min}`,
      holds: value => lengthOf(value) >= min,
    })
  }
  return constraints
}

function codePoints(text: string): number {
  let count = text.length
  for (let i = 0; i < text.length - 1; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) count -= 1
  }
  return count
}
