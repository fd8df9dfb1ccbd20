import type { Kysely } from 'kysely'
import { inTransaction } from './in-transaction.ts'
import { type Page, type PageRequest, rowsToRead, startAfter, toPage } from './pages.ts'
import type { DocumentShareRow, Schema, Scope } from './schema.ts'

/** Whom a document is shared with: an account id, or `all`. */
export type DocumentShare = Pick<DocumentShareRow, 'grantee' | 'sharedVersion'>

export function documentSharesIn(db: Kysely<Schema>) {
  const rows = (connection: Kysely<Schema>, scope: Scope, name: string) =>
    connection
      .selectFrom('documentShares')
      .select(['grantee', 'sharedVersion'])
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)
      .where('name', '=', name)

  const deletion = (connection: Kysely<Schema>, scope: Scope, name: string) =>
    connection
      .deleteFrom('documentShares')
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)
      .where('name', '=', name)

  return {
    /**
     * Takes the document from some and gives it to others, who may have it already: they get the new version. False,
     * with nothing changed, if it were shared with more than `most` then.
     */
    change(
      { accountId, region }: Scope,
      name: string,
      { removed, added, sharedVersion }: { removed: string[]; added: string[]; sharedVersion: string },
      most: number,
    ): Promise<boolean> {
      const scope = { accountId, region }
      return inTransaction(db, async transaction => {
        const present = await rows(transaction, scope, name).execute()
        const after = new Set([...present.map(({ grantee }) => grantee), ...added])
        for (const grantee of removed) after.delete(grantee)
        if (after.size > most) return false
        const replaced = [...removed, ...added]
        if (replaced.length > 0)
          await deletion(transaction, scope, name).where('grantee', 'in', replaced).execute()
        if (added.length > 0) {
          const shares = added.map(grantee => ({ accountId, region, name, grantee, sharedVersion }))
          await transaction.insertInto('documentShares').values(shares).execute()
        }
        return true
      })
    },

    /** Ordered by whom it is shared with. */
    async list(scope: Scope, name: string, page: PageRequest): Promise<Page<DocumentShare>> {
      const after = startAfter('document-shares', page, ['string'])
      let query = rows(db, scope, name)
      if (after) query = query.where('grantee', '>', after[0])
      const found = await query.orderBy('grantee').limit(rowsToRead(page)).execute()
      return toPage('document-shares', page, found, last => [last.grantee])
    },

    /** The names of the documents that are shared with this one. */
    async sharedWith(scope: Scope, grantee: string): Promise<string[]> {
      const found = await db
        .selectFrom('documentShares')
        .select('name')
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .where('grantee', '=', grantee)
        .execute()
      return found.map(({ name }) => name)
    },

    async clear(scope: Scope, name: string): Promise<void> {
      await deletion(db, scope, name).execute()
    },
  }
}
