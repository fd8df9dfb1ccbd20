import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Decision, NamedPolicy, PolicySet } from './decision.ts'
import { evaluate } from './evaluate.ts'
import { MalformedPolicyError, parsePolicy } from './parse.ts'
import { type TrustedParty, trusts } from './trust.ts'

type Context = Readonly<Record<string, string | readonly string[] | null>>
type Document = Readonly<Record<string, unknown>>
type PolicyRef = string | Document
type Layers = { identity?: PolicyRef[]; boundary?: PolicyRef; session?: PolicyRef[] }
type Asked = { action?: string; resource?: string; context?: Context }
type Bad = { text?: string[]; statement?: Document; condition?: unknown } & Partial<
  Record<'line' | 'column', number>
> & { message: string }
type Group = Layers &
  Asked & {
    name: string
    source?: string
    version?: string | null
    effect?: 'Allow' | 'Deny'
    kind?: 'identity' | 'trust'
    trust?: Document
    requests?: Array<Layers & Asked & { who?: TrustedParty; expect: string }>
    condition?: Document
    holds?: Context[]
    fails?: Context[]
    matches?: string[]
    others?: string[]
    malformed?: Bad[]
  } & Partial<Record<'actions' | 'notActions' | 'resources' | 'notResources', string[]>>
type Theme = { about: string; policies?: Record<string, Document>; groups: Group[] }

/** What a group may say: a misspelled name would make a case that shows nothing. */
const MEMBERS =
  'name source version effect kind identity boundary session action resource context trust requests condition holds fails actions notActions resources notResources matches others malformed'.split(
    ' ',
  )
const FEWEST_CASES = 350
const directory = new URL('./cases/', import.meta.url)
const themes = readdirSync(directory).filter(name => name.endsWith('.json'))
let cases = 0

describe.each(themes)('%s', name => {
  const theme = JSON.parse(readFileSync(new URL(name, directory), 'utf8')) as Theme
  test.each(theme.groups)('$name', group => {
    for (const key of Object.keys(group)) expect(MEMBERS).toContain(key)
    const before = cases
    for (const [what, found, expected] of checks(theme, group)) {
      cases++
      expect({ what, is: found() }).toEqual({ what, is: expected })
    }
    expect(cases).toBeGreaterThan(before)
  })
})

test(`there are at least ${FEWEST_CASES} cases`, () => {
  expect(cases).toBeGreaterThanOrEqual(FEWEST_CASES)
})

type Check = [what: string, found: () => unknown, expected: unknown]

function checks(theme: Theme, group: Group): Check[] {
  if (group.malformed) return group.malformed.map(bad => malformedCheck(group, bad))
  if (group.trust) return trustChecks(group, group.trust)
  if (group.requests) return group.requests.map(request => requestCheck(theme, group, request))
  return statementChecks(group)
}

function requestCheck(theme: Theme, group: Group, request: Layers & Asked & { expect: string }): Check {
  const { identity = [], boundary, session } = { ...group, ...request }
  const named = (reference: PolicyRef): NamedPolicy => {
    const document = typeof reference === 'string' ? theme.policies?.[reference] : reference
    if (document === undefined) throw new Error(`no policy ${String(reference)}`)
    const name = typeof reference === 'string' ? reference : 'inline'
    return { name, sourceType: 'none', policy: parsePolicy(JSON.stringify(document), 'identity') }
  }
  const set: PolicySet = {
    identity: identity.map(named),
    ...(boundary ? { boundary: named(boundary) } : {}),
    ...(session ? { session: session.map(named) } : {}),
  }
  return [JSON.stringify(request), () => worded(evaluate(set, asked(group, request))), request.expect]
}

function worded(decision: Decision): string {
  if (decision.allowed) return 'allow'
  if (decision.reason === 'explicit-deny') return `denied by ${decision.by.sid} in ${decision.layer}`
  const nearest = decision.nearest?.sid
  return `nothing in ${decision.layer}${nearest ? `, nearest ${nearest}` : ''}`
}

function trustChecks(group: Group, trust: Document): Check[] {
  const policy = parsePolicy(JSON.stringify(trust), 'trust')
  return (group.requests ?? []).map(({ who = { service: '' }, expect: expected, ...request }) => {
    const request2 = asked({ action: 'sts:AssumeRole', ...group }, request)
    return [JSON.stringify({ who, ...request }), () => trusts(policy, who, request2), expected]
  })
}

/** Each is a statement of its own, about everything but what the group says. */
function statementChecks(group: Group): Check[] {
  const { version = '2012-10-17', effect = 'Allow', condition } = group
  const { actions, notActions, resources, notResources } = group
  const document = {
    ...(version === null ? {} : { Version: version }),
    Statement: {
      Effect: effect,
      ...(notActions ? { NotAction: notActions } : { Action: actions ?? '*' }),
      ...(notResources ? { NotResource: notResources } : { Resource: resources ?? '*' }),
      ...(condition ? { Condition: condition } : {}),
    },
  }
  const policy = parsePolicy(JSON.stringify(document), 'identity')
  const set: PolicySet = { identity: [{ name: 'it', sourceType: 'none', policy }] }
  const applies = (request: Asked) => {
    const decision = evaluate(set, asked(group, request))
    return effect === 'Allow' ? decision.allowed : !decision.allowed && decision.reason === 'explicit-deny'
  }
  const about = (request: Asked, expected: boolean): Check => [
    JSON.stringify(request),
    () => applies(request),
    expected,
  ]
  const matched = (text: string): Asked => (actions || notActions ? { action: text } : { resource: text })
  return [
    ...(group.holds ?? []).map(context => about({ context }, true)),
    ...(group.fails ?? []).map(context => about({ context }, false)),
    ...(group.matches ?? []).map(text => about(matched(text), true)),
    ...(group.others ?? []).map(text => about(matched(text), false)),
  ]
}

function asked(group: Asked, request: Asked) {
  const context = new Map<string, readonly string[]>()
  for (const [key, value] of Object.entries({ ...lowered(group.context), ...lowered(request.context) })) {
    if (value !== null) context.set(key, typeof value === 'string' ? [value] : value)
  }
  const { action = 'ssm:StartSession', resource = '*' } = { ...group, ...request }
  return { action, resource, context }
}

function lowered(context: Context = {}): Context {
  return Object.fromEntries(Object.entries(context).map(([key, value]) => [key.toLowerCase(), value]))
}

function malformedCheck(group: Group, bad: Bad): Check {
  const statement = bad.statement ?? { Effect: 'Allow', Action: '*', Resource: '*', Condition: bad.condition }
  const text = bad.text?.join('\n') ?? JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
  const found = () => {
    try {
      parsePolicy(text, group.kind ?? 'identity')
      return 'no fault at all'
    } catch (error) {
      if (!(error instanceof MalformedPolicyError)) throw error
      expect(error.message).toContain(`Syntax errors in policy: line ${error.line}, column ${error.column}: `)
      return {
        ...(bad.line === undefined ? {} : { line: error.line }),
        ...(bad.column === undefined ? {} : { column: error.column }),
        message: error.message.includes(bad.message) ? bad.message : error.message,
      }
    }
  }
  const { line, column, message } = bad
  const place = { ...(line === undefined ? {} : { line }), ...(column === undefined ? {} : { column }) }
  return [text, found, { ...place, message }]
}
