import { setImmediate } from 'node:timers/promises'
import type {
  EvalDecision,
  EvaluationResult,
  SimulatePolicyOutput,
} from '@sallyport/protocol/api/iam-simulation'
import { parseArn } from '@sallyport/protocol/aws/arn'
import { AwsError } from '@sallyport/protocol/aws/error'
import type {
  AccessRequest,
  Decision,
  Layer,
  NamedPolicy,
  PolicySet,
} from '@sallyport/server/iam/policy/decision'
import { type Explanation, explain } from '@sallyport/server/iam/policy/explain'
import { checkDocument } from './documents.ts'
import { iamPage } from './pages.ts'
import type { Simulated } from './simulated-principals.ts'
import { nearMissOutput, statementOutput, type Tells } from './simulated-statements.ts'

/** What both operations ask. */
export type Question = {
  ActionNames: readonly string[]
  ResourceArns?: readonly string[] | undefined
  PolicyInputList?: readonly string[] | undefined
  PermissionsBoundaryPolicyInputList?: readonly string[] | undefined
  ResourcePolicy?: string | undefined
  CallerArn?: string | undefined
  ContextEntries?:
    | readonly { ContextKeyName: string; ContextKeyValues?: readonly string[] | undefined }[]
    | undefined
  Marker?: string | undefined
  MaxItems?: number | undefined
}

const ACTION = /^[A-Za-z0-9-]+:[A-Za-z0-9]+$/
const MARKER_DIGITS = 8
/** Characters of statements after which a page ends: a request may bring thousands that match everything. */
const MAXIMUM_TOLD = 1024 * 1024
/** Of all policies in a list together; AWS allows as much for each (its model of IAM). */
const MAXIMUM_INPUT = 131_072
/** What a statement takes beside its text. */
const STATEMENT_COST = 256

/** Each action on each resource, in the order in which they are given. Throws `InvalidInput`, `MalformedPolicyDocument`. */
export async function simulate(
  simulated: Simulated,
  question: Question,
  tells: Tells,
): Promise<SimulatePolicyOutput> {
  const { ActionNames, ResourceArns = [], ResourcePolicy } = question
  if (ResourcePolicy !== undefined) {
    throw invalid(
      'ResourcePolicy cannot be simulated: nothing here has policies of its own but users, groups and roles.',
    )
  }
  ActionNames.forEach(checkAction)
  ResourceArns.forEach(checkResource)
  const set = withInputs(simulated.set, question)
  const context = withEntries(simulated.context, question)
  const resources = ResourceArns.length === 0 ? ['*'] : ResourceArns
  const pairs = ActionNames.flatMap(action => resources.map(resource => ({ action, resource })))
  const numbered = pairs.map((pair, index) => ({
    ...pair,
    marker: String(index).padStart(MARKER_DIGITS, '0'),
  }))
  const { page, ...rest } = iamPage(numbered, question, ({ marker }) => marker)
  const EvaluationResults: EvaluationResult[] = []
  let told = 0
  for (const { action, resource, marker } of page) {
    const each = result(set, { action, resource, context }, { oneOfSeveral: resources.length > 1, tells })
    EvaluationResults.push(each)
    told += costOf(each)
    if (told > MAXIMUM_TOLD && marker !== numbered.at(-1)?.marker) {
      return { EvaluationResults, IsTruncated: true, Marker: marker }
    }
    // Others' requests and sessions go on in between.
    await setImmediate()
  }
  return { EvaluationResults, ...rest }
}

function costOf({ MatchedStatements, NearMisses, ResourceSpecificResults }: EvaluationResult): number {
  const statements = [...MatchedStatements, ...NearMisses]
  const cost = statements.reduce(
    (sum, { StatementText = '' }) => sum + StatementText.length + STATEMENT_COST,
    0,
  )
  return ResourceSpecificResults === undefined ? cost : 2 * cost
}

/** Policies that a request brings with it. */
export function inputPolicies(texts: readonly string[], list: string): NamedPolicy[] {
  const length = texts.reduce((sum, text) => sum + text.length, 0)
  if (length > MAXIMUM_INPUT) {
    throw invalid(
      `${list} has ${length} characters; all policies of it have at most ${MAXIMUM_INPUT} together.`,
    )
  }
  return texts.map((text, index) => {
    const policy = checkDocument(text)
    return { name: `${list}.${index + 1}`, sourceType: 'none', policy, text }
  })
}

function withInputs(set: PolicySet, question: Question): PolicySet {
  const added = inputPolicies(question.PolicyInputList ?? [], 'PolicyInputList')
  const identity = [...set.identity, ...added]
  const [boundary, ...more] = inputPolicies(
    question.PermissionsBoundaryPolicyInputList ?? [],
    'PermissionsBoundaryPolicyInputList',
  )
  if (more.length > 0)
    throw invalid('PermissionsBoundaryPolicyInputList holds more than the one boundary that there can be.')
  return { ...set, identity, ...(boundary === undefined ? {} : { boundary }) }
}

/** An entry without values is a key that is not there. */
function withEntries(known: Simulated['context'], { ContextEntries = [], CallerArn }: Question) {
  const context = new Map(known)
  if (CallerArn !== undefined) context.set('aws:principalarn', [CallerArn])
  for (const { ContextKeyName, ContextKeyValues = [] } of ContextEntries) {
    context.set(ContextKeyName.toLowerCase(), ContextKeyValues)
  }
  return context
}

function result(
  set: PolicySet,
  request: AccessRequest,
  { oneOfSeveral, tells }: { oneOfSeveral: boolean; tells: Tells },
): EvaluationResult {
  const explanation = explain(set, request)
  const EvalDecision = evalDecision(explanation.decision)
  const common = {
    MatchedStatements: explanation.matched.map(each => statementOutput(each, tells)),
    MissingContextValues: explanation.missingKeys,
    PermissionsBoundaryDecisionDetail: set.boundary && {
      AllowedByPermissionsBoundary: layerDecision(explanation, 'boundary') === 'allowed',
    },
  }
  const { resource: EvalResourceName } = request
  return {
    EvalActionName: request.action,
    EvalResourceName,
    EvalDecision,
    ...common,
    EvalDecisionDetails: new Map(layersOf(set).map(layer => [layer, layerDecision(explanation, layer)])),
    ResourceSpecificResults: oneOfSeveral
      ? [{ EvalResourceName, EvalResourceDecision: EvalDecision, ...common }]
      : undefined,
    NearMisses: explanation.nearMisses
      .filter(({ policy }) => tells(policy))
      .map(each => nearMissOutput(each, tells)),
  }
}

function evalDecision(decision: Decision): EvalDecision {
  if (decision.allowed) return 'allowed'
  return decision.reason === 'explicit-deny' ? 'explicitDeny' : 'implicitDeny'
}

/** What the policies of one kind say by themselves. */
function layerDecision({ matched }: Explanation, layer: Layer): EvalDecision {
  const effects = matched.filter(each => each.layer === layer).map(({ effect }) => effect)
  if (effects.includes('Deny')) return 'explicitDeny'
  return effects.includes('Allow') ? 'allowed' : 'implicitDeny'
}

function layersOf({ boundary, session }: PolicySet): Layer[] {
  return [
    'identity',
    ...(boundary === undefined ? [] : ['boundary' as const]),
    ...(session === undefined ? [] : ['session' as const]),
  ]
}

function checkAction(action: string): void {
  if (ACTION.test(action)) return
  throw invalid(
    `Invalid action name: ${JSON.stringify(action)}. It is one whole action, such as ssm:StartSession.`,
  )
}

function checkResource(resource: string): void {
  if (resource === '*') return
  try {
    parseArn(resource)
  } catch (error) {
    throw invalid(`Invalid resource: ${(error as Error).message}`)
  }
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidInput', message)
}
