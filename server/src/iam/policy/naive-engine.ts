/**
 * For tests: the same decisions, found in another way. It interprets the JSON of policies as it stands, slowly and
 * without any of the engine's own code, so that what both get wrong they get wrong independently.
 */
export type NaiveStatement = {
  Effect: 'Allow' | 'Deny'
  Action?: string | string[]
  NotAction?: string | string[]
  Resource?: string | string[]
  NotResource?: string | string[]
  Principal?: NaivePrincipal
  NotPrincipal?: NaivePrincipal
  Condition?: Record<string, Record<string, string | string[]>>
}
export type NaivePrincipal = '*' | { AWS?: string | string[]; Service?: string | string[] }
export type NaivePolicy = { Version?: string; Statement: NaiveStatement[] }
export type NaiveRequest = { action: string; resource: string; context: Record<string, string[]> }
export type NaiveParty = { service: string } | { accountId: string; arns: readonly string[] }

/** A character that stands for itself or, if `wild`, for others; `crosses` says whether a colon is among them. */
type Token = { character: string; wild: boolean; given: boolean; crosses: boolean }

export function naiveDecision(layers: Record<string, NaivePolicy[]>, request: NaiveRequest): string {
  const verdicts = Object.entries(layers).map(([layer, policies]) => {
    const effects = policies.flatMap(({ Version, Statement }) =>
      Statement.filter(
        statement =>
          aboutAction(statement, request.action) &&
          aboutResource(statement, Version, request) &&
          conditionsHold(statement, Version, request.context),
      ).map(({ Effect }) => Effect),
    )
    return { layer, denies: effects.includes('Deny'), allows: effects.includes('Allow') }
  })
  const denying = verdicts.find(({ denies }) => denies)
  if (denying) return `explicit-deny ${denying.layer}`
  const silent = verdicts.find(({ allows }) => !allows)
  return silent ? `no-statement ${silent.layer}` : 'allowed'
}

export function naiveTrust(policy: NaivePolicy, who: NaiveParty, request: NaiveRequest): string {
  const fitting = policy.Statement.filter(
    statement =>
      aboutAction(statement, request.action) && conditionsHold(statement, policy.Version, request.context),
  )
  const denied = fitting.some(({ Effect, Principal, NotPrincipal }) => {
    if (Effect !== 'Deny') return false
    if (Principal) return everyName(who).some(name => lists(Principal, name)) || isEverybody(Principal)
    return !isEverybody(NotPrincipal) && !everyName(who).every(name => lists(NotPrincipal, name))
  })
  if (denied) return 'denied'
  const grants = fitting.flatMap(({ Effect, Principal }) =>
    Effect === 'Allow' && Principal ? [Principal] : [],
  )
  const own = 'service' in who ? [`service ${who.service}`] : who.arns
  if (grants.some(grant => own.some(name => lists(grant, name)))) return 'direct'
  if (!('service' in who) && grants.some(isEverybody)) return 'direct'
  return grants.some(grant => everyName(who).some(name => lists(grant, name))) ? 'account' : 'no'
}

function everyName(who: NaiveParty): string[] {
  return 'service' in who ? [`service ${who.service}`] : [`account ${who.accountId}`, ...who.arns]
}

function isEverybody(principal: NaivePrincipal = {}): boolean {
  return principal === '*' || list(principal.AWS).includes('*')
}

function lists(principal: NaivePrincipal = {}, name: string): boolean {
  if (principal === '*') return false
  const services = list(principal.Service).map(service => `service ${service}`)
  const people = list(principal.AWS).map(text => {
    const account = text.length === 12 ? text : text.endsWith(':root') ? text.split(':')[4] : undefined
    return account === undefined ? text : `account ${account}`
  })
  return [...services, ...people].includes(name)
}

function list(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value
}

function aboutAction({ Action, NotAction }: NaiveStatement, action: string): boolean {
  const fits = (pattern: string) => {
    if (pattern === '*' || pattern === '*:*') return true
    const tokens = [...pattern.toLowerCase()].map(character =>
      token(character, '*?'.includes(character), false),
    )
    return fitsFrom(tokens, action.toLowerCase())
  }
  return NotAction === undefined ? list(Action).some(fits) : !list(NotAction).some(fits)
}

function aboutResource(
  { Effect, Resource, NotResource }: NaiveStatement,
  version: string | undefined,
  { resource, context }: NaiveRequest,
): boolean {
  const expanded = list(NotResource ?? Resource).map(pattern => expand(pattern, version, context))
  const fits = (tokens: Token[] | undefined) => tokens !== undefined && fitsResource(tokens, resource)
  if (NotResource === undefined) return expanded.some(fits)
  if (Effect === 'Allow' && expanded.includes(undefined)) return false
  return !expanded.some(fits)
}

function fitsResource(tokens: Token[], resource: string): boolean {
  const [only] = tokens
  if (tokens.length === 1 && only?.wild && only.character === '*') return true
  if (!resource.startsWith('arn:') || resource.split(':').length < 6) return false
  return fitsFrom(withColons(tokens), resource)
}

/** Variables bring no colon into the first five segments; wildcards take colons at the end of a segment, from the region on. */
function withColons(tokens: Token[]): Token[] {
  let colons = 0
  const all = tokens.filter(({ character, given }) => character === ':' && !given).length
  const last = Math.min(all, 5)
  return tokens.map((each, index) => {
    if (each.character === ':' && !each.given) colons++
    const following = tokens[index + 1]
    const ends = following?.character === ':' && !following.given
    if (each.given && each.character === ':' && colons < last) return { ...each, character: 'no such text' }
    return { ...each, crosses: colons >= last || (each.character === '*' && ends && colons >= 3) }
  })
}

function token(character: string, wild: boolean, given: boolean): Token {
  return { character, wild, given, crosses: true }
}

/** Undefined where a variable stands for nothing. */
function expand(
  text: string,
  version: string | undefined,
  context: NaiveRequest['context'],
): Token[] | undefined {
  if (text === '') return []
  const closing = text.indexOf('}')
  if (version === '2012-10-17' && text.startsWith('${') && closing > 0) {
    const [key = '', fallback] = text.slice(2, closing).split(', ')
    const values =
      Object.entries(context).find(([name]) => name.toLowerCase() === key.toLowerCase())?.[1] ?? []
    const value = '*?$'.includes(key) ? key : values.length === 0 ? fallback?.slice(1, -1) : values[0]
    const rest = expand(text.slice(closing + 1), version, context)
    if (value === undefined || values.length > 1 || rest === undefined) return undefined
    return [...[...value].map(character => token(character, false, true)), ...rest]
  }
  const first = text.slice(0, 1)
  const rest = expand(text.slice(1), version, context)
  return rest && [token(first, '*?'.includes(first), false), ...rest]
}

function fitsFrom(tokens: Token[], text: string): boolean {
  const known = new Map<string, boolean>()
  const fits = (index: number, at: number): boolean => {
    const key = `${index} ${at}`
    const before = known.get(key)
    if (before !== undefined) return before
    const answer = fitsHere(index, at)
    known.set(key, answer)
    return answer
  }
  const fitsHere = (index: number, at: number): boolean => {
    const current = tokens[index]
    if (current === undefined) return at === text.length
    const character = text.slice(at, at + 1)
    const takes = current.wild
      ? character !== '' && (current.crosses || character !== ':')
      : character === current.character
    if (current.wild && current.character === '*') {
      return fits(index + 1, at) || (takes && fits(index, at + 1))
    }
    return takes && fits(index + 1, at + 1)
  }
  return fits(0, 0)
}

function conditionsHold(
  { Effect, Condition = {} }: NaiveStatement,
  version: string | undefined,
  context: NaiveRequest['context'],
): boolean {
  return Object.entries(Condition).every(([operator, block]) =>
    Object.entries(block).every(([key, wanted]) => {
      const found =
        Object.entries(context).find(([name]) => name.toLowerCase() === key.toLowerCase())?.[1] ?? []
      return conditionHolds(operator, list(wanted), found, Effect, (value, one, base) =>
        equals(base, value, one, version, context),
      )
    }),
  )
}

function conditionHolds(
  operator: string,
  wanted: string[],
  found: string[],
  effect: string,
  isOne: (value: string, wanted: string, base: string) => boolean,
): boolean {
  if (operator === 'Null') return wanted.includes(String(found.length === 0))
  const [base = '', prefix] = operator.split(':').reverse()
  const name = base.replace('IfExists', '')
  const negated = name.includes('Not')
  const one = (value: string) => wanted.some(text => isOne(value, text, name.replace('Not', ''))) !== negated
  if (found.length === 0) {
    if (base.endsWith('IfExists') || prefix === 'ForAllValues') return true
    return prefix === undefined && negated
  }
  const all = prefix === 'ForAllValues' || (prefix === undefined && effect === 'Allow')
  return all ? found.every(one) : found.some(one)
}

function equals(
  base: string,
  value: string,
  wanted: string,
  version: string | undefined,
  context: NaiveRequest['context'],
): boolean {
  const order = (found: number, limit: number) =>
    (base.includes('Less') && found < limit) ||
    (base.includes('Greater') && found > limit) ||
    (base.endsWith('Equals') && found === limit)
  if (base.startsWith('Numeric')) return order(Number(value), Number(wanted))
  if (base.startsWith('Date')) return order(Date.parse(value), Date.parse(wanted))
  if (base === 'Bool') return value.toLowerCase() === wanted.toLowerCase()
  if (base === 'BinaryEquals') return value === wanted
  if (base === 'IpAddress') return inRange(value, wanted)
  const tokens = expand(wanted, version, context)
  if (tokens === undefined) return false
  const literal = tokens.map(({ character }) => character).join('')
  if (base === 'StringEquals') return literal === value
  if (base === 'StringEqualsIgnoreCase') return literal.toLowerCase() === value.toLowerCase()
  if (base === 'StringLike') return fitsFrom(tokens, value)
  return fitsArn(tokens, value)
}

/** Each of six components; the last of the pattern is for all that is left. */
function fitsArn(tokens: Token[], value: string): boolean {
  const pieces = value.split(':')
  if (pieces[0] !== 'arn' || pieces.length < 6) return false
  const segments: Token[][] = [[]]
  for (const each of tokens) {
    if (each.character === ':' && !each.given && segments.length < 6) segments.push([])
    else segments.at(-1)?.push(each)
  }
  return segments.every((segment, index) => {
    const isLast = index === segments.length - 1
    return fitsFrom(segment, isLast ? pieces.slice(index).join(':') : (pieces[index] ?? ''))
  })
}

/** IPv4 only. */
function inRange(value: string, range: string): boolean {
  const [base = '', bits = '32'] = range.split('/')
  const binary = (address: string) =>
    address
      .split('.')
      .map(byte => Number(byte).toString(2).padStart(8, '0'))
      .join('')
  return binary(value).slice(0, Number(bits)) === binary(base).slice(0, Number(bits))
}
