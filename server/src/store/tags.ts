import type { Kysely } from 'kysely'
import { inTransaction } from './in-transaction.ts'
import { type Page, type PageRequest, rowsToRead, startAfter, toPage } from './pages.ts'
import type { Schema, Scope } from './schema.ts'

/** As the AWS APIs spell it. */
export type Tag = { Key: string; Value: string }
export type ResourceTag = Tag & { resourceId: string }

/** Of the many at once that a query may name. */
const IDS_AT_ONCE = 500

export function tagsIn(db: Kysely<Schema>) {
  const rows = (scope: Scope, resourceType: string, resourceIds: string[]) =>
    db
      .selectFrom('tags')
      .select(['resourceId', 'tagKey', 'tagValue'])
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)
      .where('resourceType', '=', resourceType)
      .where('resourceId', 'in', resourceIds)
      .orderBy('resourceId')
      .orderBy('tagKey')

  const deletion = (scope: Scope, resourceType: string, resourceId: string) =>
    db
      .deleteFrom('tags')
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)
      .where('resourceType', '=', resourceType)
      .where('resourceId', '=', resourceId)

  return {
    /** Sets tags; a key that the resource already has gets the new value. Keys must differ from each other. */
    async add(scope: Scope, resourceType: string, resourceId: string, tags: Tag[]): Promise<void> {
      if (tags.length === 0) return
      const { accountId, region } = scope
      await db
        .insertInto('tags')
        .values(
          tags.map(({ Key, Value }) => ({
            accountId,
            region,
            resourceType,
            resourceId,
            tagKey: Key,
            tagValue: Value,
          })),
        )
        .onConflict(conflict =>
          conflict
            .columns(['accountId', 'region', 'resourceType', 'resourceId', 'tagKey'])
            .doUpdateSet(eb => ({ tagValue: eb.ref('excluded.tagValue') })),
        )
        .execute()
    },

    /** Keys that the resource does not have are ignored. */
    async remove(scope: Scope, resourceType: string, resourceId: string, keys: string[]): Promise<void> {
      if (keys.length > 0)
        await deletion(scope, resourceType, resourceId).where('tagKey', 'in', keys).execute()
    },

    /** `remove` and `add`, both or neither. */
    change(
      scope: Scope,
      resourceType: string,
      resourceId: string,
      { removed, added }: { removed: string[]; added: Tag[] },
    ): Promise<void> {
      return db.transaction().execute(async transaction => {
        const tags = tagsIn(transaction)
        await tags.remove(scope, resourceType, resourceId, removed)
        await tags.add(scope, resourceType, resourceId, added)
      })
    },

    /** `change` by what `plan` makes of the present tags, in one step. What it throws is thrown, and nothing changes. */
    revise(
      scope: Scope,
      resourceType: string,
      resourceId: string,
      plan: (present: readonly Tag[]) => { removed: string[]; added: Tag[] },
    ): Promise<void> {
      return inTransaction(db, async transaction => {
        const tags = tagsIn(transaction)
        const { removed, added } = plan(await tags.list(scope, resourceType, resourceId))
        await tags.remove(scope, resourceType, resourceId, removed)
        await tags.add(scope, resourceType, resourceId, added)
      })
    },

    /** Removes every tag of a resource that goes away. */
    async clear(scope: Scope, resourceType: string, resourceId: string): Promise<void> {
      await deletion(scope, resourceType, resourceId).execute()
    },

    /** Ordered by key. */
    async list(scope: Scope, resourceType: string, resourceId: string): Promise<Tag[]> {
      return (await rows(scope, resourceType, [resourceId]).execute()).map(toTag)
    },

    /** Every tag of every resource of a type, by resource id and key. */
    async ofType(scope: Scope, resourceType: string, page: PageRequest): Promise<Page<ResourceTag>> {
      const list = `tags of ${resourceType}`
      const after = startAfter(list, page, ['string', 'string'])
      let query = db
        .selectFrom('tags')
        .select(['resourceId', 'tagKey', 'tagValue'])
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .where('resourceType', '=', resourceType)
      if (after) {
        const [resourceId, tagKey] = after
        query = query.where(({ eb, and, or }) =>
          or([
            eb('resourceId', '>', resourceId),
            and([eb('resourceId', '=', resourceId), eb('tagKey', '>', tagKey)]),
          ]),
        )
      }
      const found = await query.orderBy('resourceId').orderBy('tagKey').limit(rowsToRead(page)).execute()
      const tags = found.map(row => ({ resourceId: row.resourceId, ...toTag(row) }))
      return toPage(list, page, tags, last => [last.resourceId, last.Key])
    },

    /** The tags of each resource that has any, by resource id. */
    async forResources(
      scope: Scope,
      resourceType: string,
      resourceIds: string[],
    ): Promise<Map<string, Tag[]>> {
      const found = new Map<string, Tag[]>()
      for (let at = 0; at < resourceIds.length; at += IDS_AT_ONCE) {
        const some = resourceIds.slice(at, at + IDS_AT_ONCE)
        for (const row of await rows(scope, resourceType, some).execute()) {
          const tags = found.get(row.resourceId) ?? []
          tags.push(toTag(row))
          found.set(row.resourceId, tags)
        }
      }
      return found
    },
  }
}

function toTag(row: { tagKey: string; tagValue: string }): Tag {
  return { Key: row.tagKey, Value: row.tagValue }
}
