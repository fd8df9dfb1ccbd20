import { inert, inertLines } from '../inert.ts'
import type { Statement, Unmet, Verdict } from './policy-answer.ts'
import type { ContextEntries } from './policy-subjects.ts'

const KINDS: Readonly<Record<string, string>> = { 'aws-managed': 'AWS managed', 'user-managed': 'managed' }

/** What was asked, with everything that was told to the server. */
export type Asked = { principal: string; action: string; resource: string; context: ContextEntries }

const LAYERS: Readonly<Record<string, string>> = {
  identity: 'policies',
  boundary: 'permissions boundary',
  session: 'session policy',
}

/** The verdict for a person: first the answer and its reason, then what it rests on. Ends with a line break. */
export const report = (asked: Asked, verdict: Verdict): string => {
  const { decision, matched, nearMisses } = verdict
  const blocks = [
    [headline(asked, decision), reason(asked, verdict)].join('\n'),
    section('Statements that match', matched.map(matchedStatement)),
    section('Statements that a condition keeps out', nearMisses.map(missedStatement)),
    section('Asked for by policies, but not set (set it with --context KEY=VALUE)', unsetKeys(verdict)),
    section('Known of the resource and the request', known(asked.context)),
  ]
  return `${blocks.filter(block => block !== '').join('\n\n')}\n`
}

const headline = ({ principal, action, resource }: Asked, decision: Verdict['decision']): string => {
  const object = resource === '*' ? 'all resources (*)' : whole(resource)
  const [word, verb] = decision === 'allowed' ? ['ALLOWED', 'may do'] : ['DENIED', 'may not do']
  return `${word}: ${whole(principal)} ${verb} ${inert(action)} on ${object}.`
}

/** Ids and ARNs are of use in one piece only. */
const whole = (text: string) => inert(text, Number.POSITIVE_INFINITY)

/** In one sentence. */
export const reason = ({ action }: Pick<Asked, 'action'>, verdict: Verdict): string => {
  const { decision, matched } = verdict
  switch (decision) {
    case 'explicitDeny': {
      const by = matched.find(({ effect }) => effect === 'Deny')
      const denial = by === undefined ? 'A statement denies it' : `${capital(place(by))} denies it`
      return `${denial}, and a denial stands against everything that allows.`
    }
    case 'allowed': {
      const by = matched.find(({ layer }) => layer === 'identity') ?? matched[0]
      const others = [...verdict.layers.keys()].filter(layer => layer !== 'identity').map(layerName)
      const within = others.length === 0 ? '' : `, and so does the ${others.join(' and the ')}`
      return by === undefined ? 'A statement allows it.' : `${capital(place(by))} allows it${within}.`
    }
    case 'implicitDeny':
      return silence(action, verdict)
  }
}

/** Nothing denies it, but one of the layers that must allow it does not. */
const silence = (action: string, { layers, nearMisses }: Verdict): string => {
  const silent = [...layers].find(([, decision]) => decision !== 'allowed')?.[0] ?? 'identity'
  const near = nearMisses.find(({ layer, effect }) => layer === silent && effect === 'Allow')
  if (near !== undefined)
    return `${capital(place(near))} would allow it, but its ${unmetText(near.unmet[0])}.`
  return silent === 'identity'
    ? `No statement of its policies allows ${inert(action)} on that.`
    : `Its policies allow it, but no statement of its ${layerName(silent)} does, which must allow it, too.`
}

const layerName = (layer: string): string => LAYERS[layer] ?? inert(layer)

const matchedStatement = (statement: Statement): string =>
  [`${inert(statement.effect)}  ${place(statement)}${lines(statement)}`, source(statement)].join('\n')

const missedStatement = (statement: Statement & { unmet: readonly Unmet[] }): string =>
  [
    `${inert(statement.effect)}  ${place(statement)}${lines(statement)}`,
    ...statement.unmet.map(each => `  its ${unmetText(each)}`),
    source(statement),
  ].join('\n')

/** `statement Shells of DevShells (inline, of group developers)` */
const place = ({ sid, policyName, policyType, policyOwner, layer }: Statement): string => {
  const which = sid === undefined ? 'a statement' : `statement ${inert(sid)}`
  const name = inert(policyName.slice(policyName.lastIndexOf('/') + 1))
  const kind =
    policyOwner === undefined ? KINDS[policyType] : `inline, of ${inert(policyType)} ${inert(policyOwner)}`
  const of = layer === 'identity' ? name : `the ${layerName(layer)} ${name}`
  return `${which} of ${of}${kind === undefined ? '' : ` (${kind})`}`
}

const lines = ({ lines: found }: Statement): string => {
  if (found === undefined) return ''
  const [first, last] = found
  return first === last ? `, line ${first}` : `, lines ${first} to ${last}`
}

const unmetText = (unmet: Unmet | undefined): string => {
  if (unmet === undefined) return 'conditions do not hold'
  const { operator, key, wanted, found } = unmet
  const is = found === undefined || found.length === 0 ? 'is not set' : `is ${values(found)}`
  return `condition ${inert(operator)} ${inert(key)} ${values(wanted)} does not hold: it ${is}`
}

const values = (texts: readonly string[]): string =>
  texts.map(text => JSON.stringify(inert(text))).join(texts.length > 2 ? ', ' : ' or ')

/** Keys of other services' resources do not matter for this one, but who asks and from where may, everywhere. */
const unsetKeys = ({ matched, nearMisses, missingKeys }: Verdict): string[] => {
  const texts = [...matched, ...nearMisses].map(({ text = '' }) => text.toLowerCase())
  return missingKeys
    .filter(
      key => /^aws:(?!resourcetag\/)/i.test(key) || texts.some(text => text.includes(key.toLowerCase())),
    )
    .map(key => inert(key))
}

const known = (context: ContextEntries): string[] => {
  const entries = [...context].map(
    ([key, found]) => `${inert(key)} = ${found.map(each => inert(each)).join(', ')}`,
  )
  return entries.length === 0 ? [] : [entries.join('\n')]
}

/** As it is written, at the left margin; what stands on one line is set out. */
const source = ({ text }: Statement): string => {
  if (text === undefined) return '  (its text is not known)'
  const set = text.includes('\n') ? outdented(text) : setOut(text)
  return indented(inertLines(set))
}

const outdented = (text: string): string => {
  const [first = '', ...rest] = text.split(/\r?\n/)
  const margins = rest.filter(line => line.trim() !== '').map(line => line.length - line.trimStart().length)
  const margin = Math.min(...margins)
  return [first, ...rest.map(line => line.slice(Math.min(margin, line.length)))].join('\n')
}

const setOut = (text: string): string => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

const section = (title: string, entries: readonly string[]): string =>
  entries.length === 0 ? '' : [`${title}:`, ...entries.map(indented)].join('\n')

const indented = (text: string): string => text.replace(/^(?=.)/gm, '  ')

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
