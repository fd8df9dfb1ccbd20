import { groupsIn } from '../store/groups.ts'
import { inTransaction } from '../store/in-transaction.ts'
import { ownerPoliciesIn } from '../store/owner-policies.ts'
import { usersIn } from '../store/users.ts'
import { administratorPolicy } from './carry-over.ts'
import { empower, type FirstAdministrator, type FirstStart } from './first-start.ts'
import { uniqueId } from './unique-id.ts'

export type ResetAdministrator = FirstAdministrator & {
  /** Groups and policies that the user had, and has still: one of them may deny something. */
  others: string[]
}

/**
 * Makes a user an administrator who can do whatever nothing denies: there if it was not, AdministratorAccess, no
 * permissions boundary, and one more key. All that the user had stays.
 */
export function resetAdministrator(
  { store, sealing, realm, now }: FirstStart,
  userName: string,
): Promise<ResetAdministrator> {
  const { scope } = realm
  return inTransaction(store.db, async transaction => {
    const users = usersIn(transaction)
    const spelled = (await users.list(scope)).find(
      user => user.userName.toLowerCase() === userName.toLowerCase(),
    )
    const name = spelled?.userName ?? userName
    if (spelled === undefined) {
      await users.create(scope, { userName: name, userId: uniqueId('AIDA'), path: '/', createdAt: now })
    }
    await users.setBoundary(scope, name, null)
    const { attached, inline } = await ownerPoliciesIn(transaction).of(scope, 'user', [name])
    const others = [
      ...attached.map(({ policyArn }) => policyArn).filter(arn => arn !== administratorPolicy(realm)),
      ...inline.map(({ policyName }) => `its own policy ${policyName}`),
      ...(await groupsIn(transaction).ofUser(scope, name)).map(group => `group ${group}`),
    ]
    return { ...(await empower(transaction, name, { sealing, realm, now })), others }
  })
}
