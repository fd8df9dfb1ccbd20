import type { Kysely } from 'kysely'
import { inTransaction } from './in-transaction.ts'
import { type Page, type PageRequest, rowsToRead, startAfter, toPage } from './pages.ts'
import { applyParameterFilters, PARAMETER_TAGS, type ParameterFilters } from './parameter-filters.ts'
import type { ParameterRow, Schema, Scope } from './schema.ts'
import { type Tag, tagsIn } from './tags.ts'

export type NewParameterVersion = Omit<ParameterRow, keyof Scope | 'name' | 'version' | 'isLatest' | 'parent'>

export type ParameterLimits = {
  /** Of one parameter. */
  versions: number
  /** How many parameters there can be of each tier. */
  parameters: Readonly<Record<ParameterRow['tier'], number>>
}

/** Which version: a number, or a label that it has. */
export type ParameterSelector = number | string

export function parametersIn(db: Kysely<Schema>) {
  return {
    /** The latest version unless said. */
    get(scope: Scope, name: string, selector?: ParameterSelector): Promise<ParameterRow | undefined> {
      const query = versionsOf(db, scope, name)
      if (selector === undefined) return query.where('isLatest', '=', 1).executeTakeFirst()
      if (typeof selector === 'number') return query.where('version', '=', selector).executeTakeFirst()
      return query
        .where('version', '=', eb =>
          eb
            .selectFrom('parameterLabels')
            .select('parameterLabels.version')
            .where('parameterLabels.accountId', '=', scope.accountId)
            .where('parameterLabels.region', '=', scope.region)
            .where('parameterLabels.name', '=', name)
            .where('parameterLabels.label', '=', selector),
        )
        .executeTakeFirst()
    },

    /** By name: the latest version of each, or with a filter for labels those versions. */
    async list(scope: Scope, filters: ParameterFilters, page: PageRequest): Promise<Page<ParameterRow>> {
      const after = startAfter('parameters', page, ['string', 'number'])
      let query = applyParameterFilters(parameterRows(db, scope), filters)
      if (after) {
        const [name, version] = after
        query = query.where(({ eb, and, or }) =>
          or([eb('name', '>', name), and([eb('name', '=', name), eb('version', '>', version)])]),
        )
      }
      const found = await query.orderBy('name').orderBy('version').limit(rowsToRead(page)).execute()
      return toPage('parameters', page, found, last => [last.name, last.version])
    },

    /** Oldest first. */
    async history(scope: Scope, name: string, page: PageRequest): Promise<Page<ParameterRow>> {
      const list = `history of ${name}`
      const after = startAfter(list, page, ['number'])
      let query = versionsOf(db, scope, name)
      if (after) query = query.where('version', '>', after[0])
      const found = await query.orderBy('version').limit(rowsToRead(page)).execute()
      return toPage(list, page, found, last => [last.version])
    },

    /**
     * Adds the version that `plan` makes of the latest one; what it throws is thrown, and nothing changes. The oldest
     * version goes when there would be too many, unless it has a label. `tags` are for a new parameter.
     */
    put(
      scope: Scope,
      name: string,
      plan: (former: ParameterRow | undefined) => NewParameterVersion,
      { tags = [], limits }: { tags?: Tag[]; limits: ParameterLimits },
    ): Promise<ParameterRow | 'too-many' | 'oldest-has-label'> {
      return inTransaction(db, async transaction => {
        const former = await parametersIn(transaction).get(scope, name)
        const next = plan(former)
        if (former?.tier !== next.tier) {
          const present = await countOf(transaction, scope, next.tier)
          if (present >= limits.parameters[next.tier]) return 'too-many'
        }
        if (former !== undefined && !(await makeRoom(transaction, scope, name, limits.versions))) {
          return 'oldest-has-label'
        }
        const row = newRow(scope, name, (former?.version ?? 0) + 1, next)
        await transaction.insertInto('parameters').values(row).execute()
        if (former === undefined) await tagsIn(transaction).add(scope, PARAMETER_TAGS, name, tags)
        return row
      })
    },

    /** All versions, labels and tags. False if there is no such parameter. */
    remove(scope: Scope, name: string): Promise<boolean> {
      return inTransaction(db, async transaction => {
        for (const table of ['parameters', 'parameterLabels'] as const) {
          const deletion = transaction
            .deleteFrom(table)
            .where('accountId', '=', scope.accountId)
            .where('region', '=', scope.region)
            .where('name', '=', name)
          const { numDeletedRows } = await deletion.executeTakeFirst()
          if (table === 'parameters' && Number(numDeletedRows) === 0) return false
        }
        await tagsIn(transaction).clear(scope, PARAMETER_TAGS, name)
        return true
      })
    },
  }
}

function parameterRows(db: Kysely<Schema>, { accountId, region }: Scope) {
  return db
    .selectFrom('parameters')
    .selectAll('parameters')
    .where('parameters.accountId', '=', accountId)
    .where('parameters.region', '=', region)
}

function versionsOf(db: Kysely<Schema>, scope: Scope, name: string) {
  return parameterRows(db, scope).where('parameters.name', '=', name)
}

async function countOf(db: Kysely<Schema>, scope: Scope, tier: ParameterRow['tier']): Promise<number> {
  const { count } = await db
    .selectFrom('parameters')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
    .where('isLatest', '=', 1)
    .where('tier', '=', tier)
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** For one more version, which is then the latest. False if the oldest has to go and has a label. */
async function makeRoom(db: Kysely<Schema>, scope: Scope, name: string, limit: number): Promise<boolean> {
  const found = await versionsOf(db, scope, name).clearSelect().select('version').orderBy('version').execute()
  const { accountId, region } = scope
  const [oldest] = found
  if (oldest !== undefined && found.length >= limit) {
    const label = await db
      .selectFrom('parameterLabels')
      .select('label')
      .where('accountId', '=', accountId)
      .where('region', '=', region)
      .where('name', '=', name)
      .where('version', '=', oldest.version)
      .executeTakeFirst()
    if (label !== undefined) return false
    await db
      .deleteFrom('parameters')
      .where('accountId', '=', accountId)
      .where('region', '=', region)
      .where('name', '=', name)
      .where('version', '=', oldest.version)
      .execute()
  }
  await db
    .updateTable('parameters')
    .set({ isLatest: 0 })
    .where('accountId', '=', accountId)
    .where('region', '=', region)
    .where('name', '=', name)
    .where('isLatest', '=', 1)
    .execute()
  return true
}

function newRow(
  { accountId, region }: Scope,
  name: string,
  version: number,
  next: NewParameterVersion,
): ParameterRow {
  const parent = name.slice(0, Math.max(name.lastIndexOf('/'), 0))
  return { ...next, accountId, region, name, version, isLatest: 1, parent }
}
