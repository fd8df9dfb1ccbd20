import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { aws2 } from './remote-shell.ts'
import type { Stack } from './stack.ts'
import { type Environment, type RunResult, run } from './terminal.ts'

/** Somebody with an access key of their own, and what policies give them. */
export type Person = {
  name: string
  accessKeyId: string
  /** What they would export; for the programs that they run. */
  env: Environment
  /** The real `aws …` as they run it. */
  aws(...args: string[]): Promise<RunResult>
}

/**
 * The administrator makes an IAM user with a key, by the real aws CLI. `policies` are ARNs of managed policies, or
 * documents, which become inline policies `policy-1` …
 */
export async function addPerson(
  stack: Stack,
  name: string,
  ...policies: ReadonlyArray<string | object>
): Promise<Person> {
  await iam(stack, 'create-user', '--user-name', name)
  for (const [at, policy] of policies.entries()) await givePolicy(stack, name, policy, `policy-${at + 1}`)
  return await withNewKey(stack, name)
}

/** A managed policy by its ARN, or an inline policy. */
export async function givePolicy(
  stack: Stack,
  userName: string,
  policy: string | object,
  policyName: string,
): Promise<void> {
  if (typeof policy === 'string') {
    await iam(stack, 'attach-user-policy', '--user-name', userName, '--policy-arn', policy)
    return
  }
  const document = await jsonFile(stack, `${userName}-${policyName}`, policy)
  const names = ['--user-name', userName, '--policy-name', policyName]
  await iam(stack, 'put-user-policy', ...names, '--policy-document', document)
}

/** A role that `trust` says who may assume, with the inline policy `policy-1`. */
export async function addRole(stack: Stack, name: string, trust: object, policy: object): Promise<void> {
  const role = ['--role-name', name]
  const trustFile = await jsonFile(stack, `trust-${name}`, trust)
  await iam(stack, 'create-role', ...role, '--assume-role-policy-document', trustFile)
  const document = ['--policy-document', await jsonFile(stack, `role-${name}`, policy)]
  await iam(stack, 'put-role-policy', ...role, '--policy-name', 'policy-1', ...document)
}

/** A document as `--policy-document` and the like take it; a text as it stands. */
export async function jsonFile(stack: Stack, name: string, content: object | string): Promise<string> {
  const path = join(stack.directory, `${name}.json`)
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content, undefined, 2))
  return `file://${path}`
}

/** A person with a new key of the user. */
export async function withNewKey(stack: Stack, name: string): Promise<Person> {
  const { AccessKey } = await iam(stack, 'create-access-key', '--user-name', name)
  const { AccessKeyId, SecretAccessKey } = AccessKey
  const env = { ...stack.env, AWS_ACCESS_KEY_ID: AccessKeyId, AWS_SECRET_ACCESS_KEY: SecretAccessKey }
  return { name, accessKeyId: AccessKeyId, env, aws: awsWith(stack, env) }
}

/** The real aws CLI with these credentials. */
export function awsWith(stack: Stack, env: Environment): Person['aws'] {
  return (...args) => run(aws2, [...args, '--endpoint-url', stack.endpoint, '--output', 'json'], { env })
}

/** What the administrator's `aws iam …` answers; throws with its message if it fails. */
// biome-ignore lint/suspicious/noExplicitAny: JSON of whatever operation was called
export async function iam(stack: Stack, operation: string, ...args: string[]): Promise<any> {
  return await stack.answer('iam', operation, ...args)
}
