import { AwsError } from '@sallyport/protocol/aws/error'
import { readReference } from './parameter-names.ts'
import { type FoundParameter, type ParameterSources, selectParameter } from './parameters.ts'

// control-plane.md 12.3. Nothing in it can match in two ways, so it takes linear time.
const REFERENCE = /\{\{\s*ssm:([^\s{}]+)\s*\}\}/g
/** How many are looked up at a time. */
const BATCH = 50

/**
 * Checks every `{{ssm:name}}`, also with a version or label, in the texts of a document or of parameters: agents resolve
 * them one by one, later, and would run nothing. Throws `InvalidParameters`, which names the first that does not exist
 * or is a SecureString, which no command may contain.
 */
export async function checkParameterReferences(context: ParameterSources, value: unknown): Promise<void> {
  const names = [...referencesIn(value)]
  for (let at = 0; at < names.length; at += BATCH) {
    const batch = names.slice(at, at + BATCH)
    const found = await Promise.all(batch.map(name => find(context, name)))
    for (const [i, name] of batch.entries()) check(name, found[i])
  }
}

async function find(context: ParameterSources, name: string): Promise<FoundParameter | undefined> {
  const reference = await readReference(context, name)
  return reference && (await selectParameter(context, reference))
}

function check(name: string, found: FoundParameter | undefined): void {
  if (found === undefined) {
    throw new AwsError(
      'InvalidParameters',
      `{{ssm:${name}}} is not in Parameter Store. Put it there first, or check its name and version.`,
    )
  }
  if (found.row.type !== 'SecureString') return
  throw new AwsError(
    'InvalidParameters',
    `{{ssm:${name}}} is a SecureString, which commands cannot refer to: it would be readable in every one of them. Let the command itself get it (aws ssm get-parameter --with-decryption).`,
  )
}

/** The names that the texts in it refer to. */
export function referencesIn(value: unknown): Set<string> {
  const found = new Set<string>()
  for (const text of textsIn(value)) {
    for (const [, name = ''] of text.matchAll(REFERENCE)) found.add(name)
  }
  return found
}

export function* textsIn(value: unknown): Iterable<string> {
  const left: unknown[] = [value]
  while (left.length > 0) {
    const next = left.pop()
    if (typeof next === 'string') yield next
    else if (typeof next === 'object' && next !== null) left.push(...Object.values(next))
  }
}
