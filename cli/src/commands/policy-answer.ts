import type { XmlValue } from '@sallyport/protocol/aws/xml-reader'

// What SimulatePrincipalPolicy answers, read from texts (protocol/src/api/iam-simulation.ts).

export type Statement = {
  effect: string
  layer: string
  policyName: string
  policyType: string
  policyOwner: string | undefined
  sid: string | undefined
  /** Lines of the policy, from 1. */
  lines: readonly [first: number, last: number] | undefined
  text: string | undefined
}

export type Unmet = { operator: string; key: string; wanted: string[]; found: string[] | undefined }

export type Verdict = {
  decision: 'allowed' | 'explicitDeny' | 'implicitDeny'
  matched: Statement[]
  nearMisses: Array<Statement & { unmet: Unmet[] }>
  missingKeys: string[]
  /** What the policies of each kind say by themselves. */
  layers: Map<string, string>
}

type Record_ = Readonly<Record<string, XmlValue>>

/** Of the one action on the one resource that was asked about; undefined if the answer holds no decision. */
export const readVerdict = (answer: unknown): Verdict | undefined => {
  const [result] = list(structure(answer as XmlValue).EvaluationResults)
  if (result === undefined) return undefined
  const members = structure(result)
  const decision = text(members.EvalDecision)
  if (decision !== 'allowed' && decision !== 'explicitDeny' && decision !== 'implicitDeny') return undefined
  return {
    decision,
    matched: list(members.MatchedStatements).map(statement),
    nearMisses: list(members.NearMisses).map(miss => ({
      ...statement(miss),
      unmet: list(structure(miss).UnmetConditions).map(unmet),
    })),
    missingKeys: texts(members.MissingContextValues),
    layers: map(members.EvalDecisionDetails),
  }
}

const statement = (value: XmlValue): Statement => {
  const members = structure(value)
  const first = Number(text(structure(members.StartPosition).Line))
  const last = Number(text(structure(members.EndPosition).Line))
  return {
    effect: text(members.Effect) ?? '',
    layer: text(members.Layer) ?? '',
    policyName: text(members.PolicyName) ?? text(members.SourcePolicyId) ?? '',
    policyType: text(members.SourcePolicyType) ?? '',
    policyOwner: text(members.PolicyOwner),
    sid: text(members.Sid),
    lines: first > 0 && last > 0 ? [first, last] : undefined,
    text: text(members.StatementText),
  }
}

const unmet = (value: XmlValue): Unmet => {
  const { Operator, Key, Wanted, Found } = structure(value)
  return {
    operator: text(Operator) ?? '',
    key: text(Key) ?? '',
    wanted: texts(Wanted),
    found: Found === undefined ? undefined : texts(Found),
  }
}

const structure = (value: XmlValue | undefined): Record_ =>
  typeof value === 'object' && !Array.isArray(value) ? value : {}

const list = (value: XmlValue | undefined): readonly XmlValue[] => (Array.isArray(value) ? value : [])

const text = (value: XmlValue | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined

const texts = (value: XmlValue | undefined): string[] => list(value).map(each => text(each) ?? '')

const map = (value: XmlValue | undefined): Map<string, string> => {
  const entries = list(value).map(structure)
  return new Map(entries.map(({ key, value: each }) => [text(key) ?? '', text(each) ?? '']))
}
