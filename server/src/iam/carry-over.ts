import type { Transaction } from 'kysely'
import { ownerPoliciesIn } from '../store/owner-policies.ts'
import { rolesIn } from '../store/roles.ts'
import type { Schema } from '../store/schema.ts'
import { usersIn } from '../store/users.ts'
import type { Realm } from './arns.ts'
import { uniqueId } from './unique-id.ts'

/** What activations name when nothing else is said (README, docs/reference/cli.md). */
const NODE_ROLE = 'SSMServiceRole'
const ROLE_NAME = /^[\w+=,.@-]{1,64}$/
const SESSION_SECONDS = 3600

export const administratorPolicy = ({ partition }: Realm) =>
  `arn:${partition}:iam::aws:policy/AdministratorAccess`

const trustPolicy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'ssm.amazonaws.com' }, Action: 'sts:AssumeRole' }],
})

/**
 * Before there were policies every user could do everything, and a role was a name that an activation gave. So that
 * everybody can do what he could: users get AdministratorAccess, and the roles that are named get made. On a new
 * server that is the one role that instructions name.
 */
export async function carryOver(transaction: Transaction<Schema>, realm: Realm, now: number): Promise<void> {
  const policyArn = administratorPolicy(realm)
  for (const { userName } of await usersIn(transaction).list(realm.scope)) {
    const owner = { ownerType: 'user', ownerName: userName } as const
    await ownerPoliciesIn(transaction).attach(realm.scope, { ...owner, policyArn, attachedAt: now })
  }
  await makeRole(transaction, realm, NODE_ROLE, now)
  const spelled = new Map([[NODE_ROLE.toLowerCase(), NODE_ROLE]])
  for (const held of await heldRoles(transaction, realm)) {
    const name = roleNameOf(held)
    const known = spelled.get(name.toLowerCase())
    if (known === undefined) await makeRole(transaction, realm, name, now)
    spelled.set(name.toLowerCase(), known ?? name)
    if (held !== (known ?? name)) await respell(transaction, realm, held, known ?? name)
  }
}

/** `service-role/Name` is how AWS's console writes a role with a path. What cannot be a role has the usual one. */
function roleNameOf(held: string): string {
  const name = held.slice(held.lastIndexOf('/') + 1)
  return ROLE_NAME.test(name) ? name : NODE_ROLE
}

async function heldRoles(transaction: Transaction<Schema>, { scope }: Realm): Promise<string[]> {
  const held = new Set<string>()
  for (const table of ['activations', 'nodes'] as const) {
    const rows = await transaction
      .selectFrom(table)
      .select('iamRole')
      .distinct()
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)
      .orderBy('iamRole')
      .execute()
    for (const { iamRole } of rows) if (iamRole !== null) held.add(iamRole)
  }
  return [...held]
}

async function respell(
  transaction: Transaction<Schema>,
  { scope }: Realm,
  from: string,
  to: string,
): Promise<void> {
  for (const table of ['activations', 'nodes'] as const) {
    await transaction
      .updateTable(table)
      .set({ iamRole: to })
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)
      .where('iamRole', '=', from)
      .execute()
  }
}

async function makeRole(
  transaction: Transaction<Schema>,
  { partition, scope }: Realm,
  roleName: string,
  now: number,
): Promise<void> {
  const role = {
    roleName,
    roleId: uniqueId('AROA'),
    path: '/',
    description: 'Lets managed nodes be reached through Systems Manager',
    trustPolicy,
    maxSessionDuration: SESSION_SECONDS,
    permissionsBoundary: null,
    createdAt: now,
  }
  await rolesIn(transaction).create(scope, role, { limit: Number.MAX_SAFE_INTEGER })
  const policyArn = `arn:${partition}:iam::aws:policy/AmazonSSMManagedInstanceCore`
  const owner = { ownerType: 'role', ownerName: roleName } as const
  await ownerPoliciesIn(transaction).attach(scope, { ...owner, policyArn, attachedAt: now })
}
