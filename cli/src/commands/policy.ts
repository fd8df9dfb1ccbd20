import type { CommandContext } from '../context.ts'
import { CliError, EXIT, usageError } from '../errors.ts'
import { inert, inertJson } from '../inert.ts'
import type { SettingsOptions } from '../settings.ts'
import { unknownAction } from './policy-actions.ts'
import { readVerdict, type Verdict } from './policy-answer.ts'
import { type Asked, reason, report } from './policy-report.ts'
import { type ContextEntries, resolvePrincipal, resolveResource } from './policy-subjects.ts'

export type WhyOptions = SettingsOptions & { context?: string[]; json?: boolean; exitCode?: boolean }

const ACTION = /^[A-Za-z0-9-]+:[A-Za-z0-9]+$/

/**
 * `sallyport policy why`: whether somebody may do something, and by which statements. It is an answer either way, so
 * the status is 0 unless `exitCode` asks for 1 where the answer is no.
 */
export const policyWhy = async (
  [principal, action, resource]: readonly [principal: string, action: string, resource: string],
  options: WhyOptions,
  context: CommandContext,
): Promise<number> => {
  if (!ACTION.test(action)) throw usageError(`"${action}" is no action. One is for example ssm:StartSession`)
  const given = readContext(options.context ?? [])
  const { client, region } = await context.connect(options)
  const who = await resolvePrincipal(client, principal)
  const what = await resolveResource(client, resource, who.arn, region)
  const known = [...who.context, ...what.context, ...ofStartSession(action, what.arn)]
  const asked: Asked = {
    principal: who.arn,
    action,
    resource: what.arn,
    context: merged(known, given),
  }
  const answer = await client.call('iam', 'SimulatePrincipalPolicy', {
    PolicySourceArn: asked.principal,
    ActionNames: [action],
    ResourceArns: [asked.resource],
    ContextEntries: [...asked.context].map(([ContextKeyName, ContextKeyValues]) => ({
      ContextKeyName,
      ContextKeyValues,
      ContextKeyType: ContextKeyValues.length === 1 ? 'string' : 'stringList',
    })),
  })
  const verdict = readVerdict(answer)
  if (verdict === undefined) throw new CliError('The server did not say what its policies decide.')
  context.out(options.json ? `${inertJson(asJson(asked, verdict))}\n` : report(asked, verdict))
  if (!options.json) context.err(hints([principal, action, resource], asked, verdict, what.missing === true))
  return options.exitCode && verdict.decision !== 'allowed' ? EXIT.failure : EXIT.ok
}

/** What a person may have meant otherwise, or has to ask next. */
const hints = (
  [principal, action, resource]: readonly [principal: string, action: string, resource: string],
  asked: Asked,
  { decision }: Verdict,
  missing: boolean,
): string => {
  const unknown = unknownAction(action)
  const texts = [
    ...(missing
      ? [`Nothing is called ${inert(resource)} here. The answer is for one without any tags.`]
      : []),
    ...(unknown === undefined ? [] : [unknown]),
  ]
  if (asked.resource === '*' && decision !== 'allowed' && !/:(List|Describe)/i.test(action)) {
    texts.push(
      `That is about everything at once. About one thing:\n  sallyport policy why ${inert(principal)} ${inert(action)} RESOURCE`,
    )
  }
  const gate = decision === 'allowed' ? secondGate(principal, asked) : ''
  return [...texts.map(text => `\n${text}\n`), gate].join('')
}

/** Who may start sessions on a node still needs the document (control-plane.md 34.1). */
const secondGate = (principal: string, { action, resource }: Asked): string =>
  isStartSession(action) && /:(managed-)?instance\//.test(resource)
    ? `\nThat is the node. Where a document is named, or a policy insists on it, it must be allowed as well:\n  sallyport policy why ${inert(principal)} ssm:StartSession SSM-SessionManagerRunShell\n`
    : ''

const isStartSession = (action: string) => action.toLowerCase() === 'ssm:startsession'

/** As it is where the document is asked about, too; otherwise policies that insist on that could not be tried. */
const ofStartSession = (action: string, arn: string): ContextEntries =>
  new Map(isStartSession(action) && arn !== '*' ? [['ssm:SessionDocumentAccessCheck', ['true']]] : [])

/** `key=value`; a key that is given more than once has several values. */
const readContext = (texts: readonly string[]): ContextEntries => {
  const context: ContextEntries = new Map()
  for (const text of texts) {
    const at = text.indexOf('=')
    if (at < 1) throw usageError(`--context ${text}: expected key=value, such as aws:SourceIp=192.0.2.1`)
    const key = text.slice(0, at)
    if (!key.includes(':')) throw usageError(`--context ${text}: a condition key is like aws:SourceIp`)
    context.set(key, [...(context.get(key) ?? []), text.slice(at + 1)])
  }
  return context
}

/**
 * What was given stands in the place of what was looked up. Keys of conditions have no case, and a tag has two keys,
 * that of ssm and that of all services.
 */
const merged = (known: Iterable<[string, readonly string[]]>, given: ContextEntries): ContextEntries => {
  const fold = (key: string) => key.toLowerCase().replace(/^(ssm|aws):(?=resourcetag\/)/, '')
  const overridden = new Set([...given.keys()].map(fold))
  return new Map([...[...known].filter(([key]) => !overridden.has(fold(key))), ...withTwins(given)])
}

const withTwins = (given: ContextEntries): ContextEntries => {
  const twins: ContextEntries = new Map()
  for (const [key, values] of given) {
    const [, tag] = /^(?:ssm|aws):resourcetag\/(.+)$/i.exec(key) ?? []
    const keys = tag === undefined ? [key] : [`ssm:resourceTag/${tag}`, `aws:ResourceTag/${tag}`]
    for (const each of keys) twins.set(each, values)
  }
  return new Map([...twins, ...given])
}

const asJson = ({ context, ...asked }: Asked, { layers, ...verdict }: Verdict) => ({
  ...asked,
  context: Object.fromEntries(context),
  reason: reason(asked, { ...verdict, layers }),
  ...verdict,
  layers: Object.fromEntries(layers),
})
