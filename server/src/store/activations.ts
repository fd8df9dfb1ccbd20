import type { Kysely } from 'kysely'
import { fromColumn, toColumn } from './json-column.ts'
import { type Page, type PageRequest, rowsToRead, startAfter, toPage } from './pages.ts'
import type { ActivationRow, Schema, Scope } from './schema.ts'
import type { Tag } from './tags.ts'

export type Activation = Omit<ActivationRow, 'tags'> & { tags: Tag[] }
export type NewActivation = Omit<Activation, keyof Scope | 'registrationsCount'>

/** Filters of different kinds must all hold; within one, any of its values. */
export type ActivationFilters = {
  activationIds?: string[]
  defaultInstanceNames?: string[]
  iamRoles?: string[]
}

export type Claim =
  | { claimed: true; activation: Activation }
  | { claimed: false; reason: 'unknown' | 'expired' | 'limit-reached' }

export function activationsIn(db: Kysely<Schema>) {
  const rows = (scope: Scope) =>
    db
      .selectFrom('activations')
      .selectAll()
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)

  const get = async (scope: Scope, activationId: string): Promise<Activation | undefined> => {
    const row = await rows(scope).where('activationId', '=', activationId).executeTakeFirst()
    return row && toActivation(row)
  }

  return {
    get,

    /** The stored row, with no registration counted yet. */
    async create(scope: Scope, activation: NewActivation): Promise<Activation> {
      const { accountId, region } = scope
      const created = { ...activation, accountId, region, registrationsCount: 0 }
      await db
        .insertInto('activations')
        .values({ ...created, tags: toColumn(created.tags) })
        .execute()
      return created
    },

    /** Newest first. */
    async list(scope: Scope, filters: ActivationFilters, page: PageRequest): Promise<Page<Activation>> {
      const after = startAfter('activations', page, ['number', 'string'])
      let query = rows(scope)
      if (filters.activationIds) query = query.where('activationId', 'in', filters.activationIds)
      if (filters.iamRoles) query = query.where('iamRole', 'in', filters.iamRoles)
      if (filters.defaultInstanceNames) {
        query = query.where('defaultInstanceName', 'in', filters.defaultInstanceNames)
      }
      if (after) {
        const [createdAt, activationId] = after
        query = query.where(({ eb, and, or }) =>
          or([
            eb('createdAt', '<', createdAt),
            and([eb('createdAt', '=', createdAt), eb('activationId', '<', activationId)]),
          ]),
        )
      }
      const found = await query
        .orderBy('createdAt', 'desc')
        .orderBy('activationId', 'desc')
        .limit(rowsToRead(page))
        .execute()
      return toPage('activations', page, found.map(toActivation), last => [last.createdAt, last.activationId])
    },

    /** Whether there was such an activation. Registered nodes are unaffected. */
    async delete(scope: Scope, activationId: string): Promise<boolean> {
      const { numDeletedRows } = await db
        .deleteFrom('activations')
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .where('activationId', '=', activationId)
        .executeTakeFirst()
      return numDeletedRows > 0n
    },

    /** Counts one registration, unless the activation has expired by `now` or its limit is reached. Atomic. */
    async claim(scope: Scope, activationId: string, now: number): Promise<Claim> {
      const row = await db
        .updateTable('activations')
        .set(eb => ({ registrationsCount: eb('registrationsCount', '+', 1) }))
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .where('activationId', '=', activationId)
        .where('expiresAt', '>', now)
        .whereRef('registrationsCount', '<', 'registrationLimit')
        .returningAll()
        .executeTakeFirst()
      if (row) return { claimed: true, activation: toActivation(row) }
      const present = await get(scope, activationId)
      if (!present) return { claimed: false, reason: 'unknown' }
      return { claimed: false, reason: present.expiresAt <= now ? 'expired' : 'limit-reached' }
    },
  }
}

function toActivation(row: ActivationRow): Activation {
  return { ...row, tags: fromColumn<Tag[]>(row.tags) }
}
