import type { ShapeBody } from '@sallyport/protocol/aws/shape-builders'

// For tests: the smallest input that a shape takes, made from the shape, and the forms in which it is sent.

/** In the order in which they are tried. Nothing that they name exists. */
const TEXTS = [
  'nobody',
  'mi-00000000000000000',
  'i-00000000000000000',
  'arn:aws:iam::123456789012:policy/nobody',
  '00000000-0000-0000-0000-000000000000',
  '{"Version":"2012-10-17","Statement":[]}',
  'AKIANOBODY0000000000',
  'v1',
  '1',
  '2026-01-31T12:00:00',
  'iip-assoc-00000000000000000',
  'mx.amazonaws.com',
  'a'.repeat(64),
  'a'.repeat(300),
]
/** Of members that a general text would do for, but that decide what is asked for. */
const NAMED: Readonly<Record<string, unknown>> = {
  Action: 'GetUser',
  ResourceType: 'ManagedInstance',
  ResourceId: 'mi-00000000000000000',
  Target: 'mi-00000000000000000',
  PolicySourceArn: 'arn:aws:iam::123456789012:user/nobody',
  State: 'Active',
  RoleArn: 'arn:aws:iam::123456789012:role/nobody',
  PolicyArn: 'arn:aws:iam::123456789012:policy/nobody',
  PermissionsBoundary: 'arn:aws:iam::123456789012:policy/nobody',
}

export function exampleInput(shape: ShapeBody, name = ''): unknown {
  if (shape.kind === 'string' && name in NAMED && holds(shape, NAMED[name])) return NAMED[name]
  switch (shape.kind) {
    case 'string':
      return fitting(shape, [...TEXTS, ...enumOf(shape)], name)
    case 'integer':
      return fitting(shape, [1, 5, 50, 900, 3600], name)
    case 'boolean':
      return true
    case 'timestamp':
      return 1_800_000_000
    case 'list':
      return [exampleInput(shape.element, name)]
    case 'map':
      return { [String(exampleInput(shape.key))]: exampleInput(shape.value) }
    case 'structure':
      return exampleStructure(shape, name)
    default:
      return shape satisfies never
  }
}

/** What is in it without need is left out, but a form cannot say that there is a structure with nothing in it. */
function exampleStructure({ members, required }: ShapeBody & { kind: 'structure' }, name: string): unknown {
  const wanted = Object.keys(members).filter(
    (member, i) => required.has(member) || (name !== '' && required.size === 0 && i === 0),
  )
  return Object.fromEntries(
    Object.entries(members)
      .filter(([member]) => wanted.includes(member))
      .map(([member, inner]) => [member, exampleInput(inner, member)]),
  )
}

function fitting(shape: ShapeBody, values: readonly unknown[], name: string): unknown {
  const found = values.find(value => holds(shape, value))
  if (found === undefined) throw new Error(`none of the example values will do for ${name}`)
  return found
}

function holds(shape: ShapeBody, value: unknown): boolean {
  return shape.constraints.every(constraint => constraint.holds(value))
}

/** What the words of the constraint list. */
function enumOf({ constraints }: ShapeBody): string[] {
  return constraints.flatMap(({ text }) => /enum value set: \[(.*)\]$/.exec(text)?.[1]?.split(', ') ?? [])
}

/** The parameters of the Query protocols; lists of EC2's have no `member` in their names. */
export function formOf(value: unknown, listMember: string, prefix = ''): Array<[string, string]> {
  const named = (name: string | number) => (prefix === '' ? `${name}` : `${prefix}.${name}`)
  if (Array.isArray(value)) {
    return value.flatMap((each, i) => formOf(each, listMember, named(`${listMember}${i + 1}`)))
  }
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([name, each]) => formOf(each, listMember, named(name)))
  }
  return [[prefix, String(value)]]
}
