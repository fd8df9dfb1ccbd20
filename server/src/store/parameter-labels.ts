import type { Kysely } from 'kysely'
import { inTransaction } from './in-transaction.ts'
import { parametersIn } from './parameters.ts'
import type { Schema, Scope } from './schema.ts'

export function parameterLabelsIn(db: Kysely<Schema>) {
  return {
    /** In alphabetical order, of each version that has any. */
    async labelsOf(scope: Scope, name: string): Promise<Map<number, string[]>> {
      const labels = new Map<number, string[]>()
      for (const { version, label } of await labelRows(db, scope, name).orderBy('label').execute()) {
        labels.set(version, [...(labels.get(version) ?? []), label])
      }
      return labels
    },

    /** Puts labels on a version, the latest unless said; they leave the version that had them. Answers which it is. */
    label(
      scope: Scope,
      name: string,
      given: number | undefined,
      labels: readonly string[],
      maximum: number,
    ): Promise<number | 'absent' | 'no-version' | 'too-many'> {
      return inTransaction(db, async transaction => {
        const version = await findVersion(transaction, scope, name, given)
        if (typeof version === 'string') return version
        const present = (await parameterLabelsIn(transaction).labelsOf(scope, name)).get(version) ?? []
        if (new Set([...present, ...labels]).size > maximum) return 'too-many'
        const { accountId, region } = scope
        for (const label of new Set(labels)) {
          await transaction
            .insertInto('parameterLabels')
            .values({ accountId, region, name, label, version })
            .onConflict(conflict =>
              conflict.columns(['accountId', 'region', 'name', 'label']).doUpdateSet({ version }),
            )
            .execute()
        }
        return version
      })
    },

    /** Answers which of the labels the version had. */
    unlabel(
      scope: Scope,
      name: string,
      given: number,
      labels: readonly string[],
    ): Promise<readonly string[] | 'absent' | 'no-version'> {
      return inTransaction(db, async transaction => {
        const version = await findVersion(transaction, scope, name, given)
        if (typeof version === 'string') return version
        const present = (await parameterLabelsIn(transaction).labelsOf(scope, name)).get(version) ?? []
        const removed = present.filter(label => labels.includes(label))
        if (removed.length > 0) {
          await transaction
            .deleteFrom('parameterLabels')
            .where('accountId', '=', scope.accountId)
            .where('region', '=', scope.region)
            .where('name', '=', name)
            .where('label', 'in', removed)
            .execute()
        }
        return removed
      })
    },
  }
}

function labelRows(db: Kysely<Schema>, { accountId, region }: Scope, name: string) {
  return db
    .selectFrom('parameterLabels')
    .selectAll()
    .where('accountId', '=', accountId)
    .where('region', '=', region)
    .where('name', '=', name)
}

async function findVersion(
  db: Kysely<Schema>,
  scope: Scope,
  name: string,
  given: number | undefined,
): Promise<number | 'absent' | 'no-version'> {
  const parameters = parametersIn(db)
  const latest = await parameters.get(scope, name)
  if (latest === undefined) return 'absent'
  if (given === undefined) return latest.version
  return (await parameters.get(scope, name, given)) === undefined ? 'no-version' : given
}
