import type { Kysely } from 'kysely'
import { type Page, type PageRequest, rowsToRead, startAfter, toPage } from './pages.ts'
import type { ProfileAssociationRow, Schema, Scope } from './schema.ts'

export type NewProfileAssociation = Omit<ProfileAssociationRow, keyof Scope>

/** `taken`: the node has a profile already; `no-profile`: there is none of that name (any more). */
export type Associated =
  | { association: ProfileAssociationRow }
  | { association?: undefined; reason: 'no-profile' | 'gone' }
  | { association?: undefined; reason: 'taken'; former: ProfileAssociationRow }

/** Which instance profile a node has: one at a time. */
export function profileAssociationsIn(db: Kysely<Schema>) {
  const rows = (scope: Scope, reader = db) =>
    reader
      .selectFrom('profileAssociations')
      .selectAll()
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)

  const deletion = (scope: Scope, from = db) =>
    from
      .deleteFrom('profileAssociations')
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)

  return {
    async get(scope: Scope, associationId: string): Promise<ProfileAssociationRow | undefined> {
      return await rows(scope).where('associationId', '=', associationId).executeTakeFirst()
    },

    async forNode(scope: Scope, nodeId: string): Promise<ProfileAssociationRow | undefined> {
      return await rows(scope).where('nodeId', '=', nodeId).executeTakeFirst()
    },

    /** Of those nodes that have one, in any order. As many nodes as are on a page. */
    async forNodes(scope: Scope, nodeIds: readonly string[]): Promise<ProfileAssociationRow[]> {
      if (nodeIds.length === 0) return []
      return await rows(scope).where('nodeId', 'in', nodeIds).execute()
    },

    /** All of them, by association id: there are at most as many as nodes. */
    async list(scope: Scope): Promise<ProfileAssociationRow[]> {
      return await rows(scope).orderBy('associationId').execute()
    },

    /** By association id. */
    async page(scope: Scope, page: PageRequest): Promise<Page<ProfileAssociationRow>> {
      const after = startAfter('profile-associations', page, ['string'])
      let query = rows(scope)
      if (after) query = query.where('associationId', '>', after[0])
      const found = await query.orderBy('associationId').limit(rowsToRead(page)).execute()
      return toPage('profile-associations', page, found, last => [last.associationId])
    },

    /** Gives a node its profile, unless it has one. Atomic. */
    create(scope: Scope, association: NewProfileAssociation): Promise<Associated> {
      return db.transaction().execute(async transaction => {
        const { nodeId, profileName } = association
        const former = await rows(scope, transaction).where('nodeId', '=', nodeId).executeTakeFirst()
        if (former !== undefined) return { reason: 'taken', former }
        if (!(await isProfile(transaction, scope, profileName))) return { reason: 'no-profile' }
        const row = { accountId: scope.accountId, region: scope.region, ...association }
        await transaction.insertInto('profileAssociations').values(row).execute()
        return { association: row }
      })
    },

    /** Another association in the place of one, for the same node; `gone`: that one is not there. Atomic. */
    replace(
      scope: Scope,
      formerId: string,
      successor: Omit<NewProfileAssociation, 'nodeId'>,
    ): Promise<Associated> {
      return db.transaction().execute(async transaction => {
        if (!(await isProfile(transaction, scope, successor.profileName))) return { reason: 'no-profile' }
        const former = await deletion(scope, transaction)
          .where('associationId', '=', formerId)
          .returningAll()
          .executeTakeFirst()
        if (former === undefined) return { reason: 'gone' }
        const row = { ...former, ...successor }
        await transaction.insertInto('profileAssociations').values(row).execute()
        return { association: row }
      })
    },

    /** What was removed; undefined if it was not there. */
    async remove(scope: Scope, associationId: string): Promise<ProfileAssociationRow | undefined> {
      return await deletion(scope)
        .where('associationId', '=', associationId)
        .returningAll()
        .executeTakeFirst()
    },

    /** For a node that goes away. */
    async removeForNode(scope: Scope, nodeId: string): Promise<void> {
      await deletion(scope).where('nodeId', '=', nodeId).execute()
    },
  }
}

async function isProfile(db: Kysely<Schema>, { accountId, region }: Scope, name: string): Promise<boolean> {
  const found = await db
    .selectFrom('instanceProfiles')
    .select('profileName')
    .where('accountId', '=', accountId)
    .where('region', '=', region)
    .where('profileName', '=', name)
    .executeTakeFirst()
  return found !== undefined
}
