import { AwsError, authenticationError } from '@sallyport/protocol/aws/error'
import type { AccessCheck } from '@sallyport/server/iam/access-plan'
import { denialMessage } from '@sallyport/server/iam/denial'
import type { Person } from '@sallyport/server/iam/principal'
import type { Json } from '@sallyport/server/store/schema'
import type { OperationContext } from '../../operation.ts'
import { referencesIn, textsIn } from './parameter-references.ts'
import { referenceCheck } from './parameters.ts'

// Nodes put in the values of parameters first, and then look for `{{ssm:name}}` (control-plane.md 12.3). Who may send
// commands would read through the role of a node what he may not read himself, so what his own parameters refer to is
// decided as if he read it. What the document refers to is up to who wrote it.

const ACTION = 'ssm:GetParameters'
/** Different ones that a caller may add to a document: each is decided for itself. */
const MAXIMUM_REFERENCES = 100
/** Characters that values may add to a document; agents of ours take no more either. */
const MAXIMUM_ADDED = 8 * 1024 * 1024
const INSERTION = /\{\{\s*([a-zA-Z0-9]+)\s*\}\}/g
const WHOLE_INSERTION = /^\{\{\s*[a-zA-Z0-9]+\s*\}\}$/

/** What policies must allow for the parameters that these texts refer to, whether they exist or not. */
export function referenceChecks(context: OperationContext, value: unknown): Promise<AccessCheck[]> {
  return checksOf(context, referencesIn(value))
}

/**
 * The same for what the caller's values refer to only once nodes have read them (`\u007b`), or put them together with
 * each other and the document (`{{ssm:{{ name }}}}`). Throws `AccessDeniedException`.
 */
export async function decideMadeUp(
  context: OperationContext,
  principal: Person,
  content: unknown,
  bound: Json,
): Promise<void> {
  const own = referencesIn(content)
  const all = [...referencesIn(bound), ...referencesIn(filledIn(content, bound))]
  const madeUp = new Set(all.filter(name => !own.has(name)))
  const plan = { all: await checksOf(context, madeUp) }
  if (plan.all.length === 0) return
  const outcome = await context.access.decide(principal, plan, ACTION, context.facts)
  if (outcome.allowed) return
  throw authenticationError(
    'access-denied',
    'awsJson',
    denialMessage(principal, outcome.check, outcome.decision),
  )
}

async function checksOf(context: OperationContext, names: ReadonlySet<string>): Promise<AccessCheck[]> {
  if (names.size > MAXIMUM_REFERENCES) {
    throw new AwsError(
      'InvalidParameters',
      `The parameters refer to ${names.size} parameters of Parameter Store; ${MAXIMUM_REFERENCES} are the most.`,
    )
  }
  const checks: AccessCheck[] = []
  for (const name of names) checks.push({ ...(await referenceCheck(context, name)), action: ACTION })
  return checks
}

/** The texts of the document that values are put into. What is nothing but a value is not made longer by it. */
function filledIn(content: unknown, bound: Json): string[] {
  const texts = Object.entries(bound ?? {}).map(([name, value]) => [name, asText(value)] as const)
  const values = new Map(texts)
  let left = MAXIMUM_ADDED
  const filled: string[] = []
  for (const text of textsIn(content)) {
    if (!text.includes('{{') || WHOLE_INSERTION.test(text)) continue
    filled.push(
      text.replace(INSERTION, (insertion, name: string) => {
        const value = values.get(name) ?? insertion
        left -= value.length
        if (left >= 0) return value
        throw new AwsError(
          'InvalidParameters',
          `The parameters make the document more than ${MAXIMUM_ADDED} characters longer.`,
        )
      }),
    )
  }
  return filled
}

/** A string as it is, anything else as JSON, as agents do. */
function asText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}
