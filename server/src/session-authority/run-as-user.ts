import { AwsError } from '@sallyport/protocol/aws/error'
import { runAsPreference } from '../documents/preferences.ts'
import type { ResolvedDocument } from '../documents/resolve.ts'
import type { Access } from '../iam/access.ts'
import type { Person } from '../iam/principal.ts'
import type { RequestFacts } from '../iam/request-facts.ts'

/** AWS's own name (docs.aws.amazon.com/systems-manager/latest/userguide/session-preferences-run-as.html). */
const RUN_AS_TAG = 'SSMSessionRunAs'
/** A session tag stands in front of the role's own (control-plane.md 13.1). */
const RUN_AS_KEY = `aws:principaltag/${RUN_AS_TAG.toLowerCase()}`

/**
 * The operating system user that the session of this caller runs as: the caller's tag, else the document's own; null
 * where the document leaves it to the agent. Throws if it must be one and nothing says which: there is no falling
 * back on ssm-user, who may be root.
 */
export async function runAsUser(
  access: Access,
  document: ResolvedDocument,
  person: Person,
  facts: RequestFacts,
): Promise<string | null> {
  const preference = runAsPreference(document.content)
  if (preference === undefined) return null
  const context = await access.contextFor(person, {}, facts)
  const tagged = context.get(RUN_AS_KEY)?.[0]?.trim() ?? ''
  const user = tagged || preference.defaultUser
  if (user !== '') return user
  const tag = `--tags Key=${RUN_AS_TAG},Value=NAME`
  const command =
    person.kind === 'user'
      ? `aws iam tag-user --user-name ${person.userName} ${tag}`
      : `aws iam tag-role --role-name ${person.roleName} ${tag}`
  throw new AwsError(
    'InvalidDocument',
    `Sessions by document ${document.name} run as an operating system user (runAsEnabled), but nothing says which: neither runAsDefaultUser in the document or the account's preferences, nor a tag of yours (${command}).`,
  )
}
