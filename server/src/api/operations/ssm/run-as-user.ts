import { AwsError } from '@sallyport/protocol/aws/error'
import { runAsPreference } from '@sallyport/server/documents/preferences'
import type { ResolvedDocument } from '@sallyport/server/documents/resolve'
import type { UserPrincipal } from '@sallyport/server/iam/principal'
import type { OperationContext } from '../../operation.ts'
import { USER_TAGS } from '../iam/users.ts'

/** AWS's own name (docs.aws.amazon.com/systems-manager/latest/userguide/session-preferences-run-as.html). */
const RUN_AS_TAG = 'SSMSessionRunAs'

/**
 * The operating system user that the session of this caller runs as: the caller's tag, else the document's own; null
 * where the document leaves it to the agent. Throws if it must be one and nothing says which: there is no falling
 * back on ssm-user, who may be root.
 */
export async function runAsUser(
  { store, scope }: OperationContext,
  document: ResolvedDocument,
  principal: UserPrincipal,
): Promise<string | null> {
  const preference = runAsPreference(document.content)
  if (preference === undefined) return null
  const tags = await store.tags.list(scope, USER_TAGS, principal.userName)
  const tagged = tags.find(({ Key }) => Key === RUN_AS_TAG)?.Value.trim() ?? ''
  const user = tagged || preference.defaultUser
  if (user !== '') return user
  throw new AwsError(
    'InvalidDocument',
    `Sessions by document ${document.name} run as an operating system user (runAsEnabled), but nothing says which: neither runAsDefaultUser in the document or the account's preferences, nor a tag of yours (aws iam tag-user --user-name ${principal.userName} --tags Key=${RUN_AS_TAG},Value=NAME).`,
  )
}
