import type { Kysely } from 'kysely'
import type { Schema, Scope, ServiceSettingRow } from './schema.ts'

export function serviceSettingsIn(db: Kysely<Schema>) {
  return {
    /** Undefined while it has its default. */
    get({ accountId, region }: Scope, settingId: string): Promise<ServiceSettingRow | undefined> {
      return db
        .selectFrom('serviceSettings')
        .selectAll()
        .where('accountId', '=', accountId)
        .where('region', '=', region)
        .where('settingId', '=', settingId)
        .executeTakeFirst()
    },

    async put(
      { accountId, region }: Scope,
      setting: Pick<ServiceSettingRow, 'settingId' | 'value' | 'modifiedAt' | 'modifiedBy'>,
    ): Promise<void> {
      const { value, modifiedAt, modifiedBy } = setting
      await db
        .insertInto('serviceSettings')
        .values({ accountId, region, ...setting })
        .onConflict(conflict =>
          conflict
            .columns(['accountId', 'region', 'settingId'])
            .doUpdateSet({ value, modifiedAt, modifiedBy }),
        )
        .execute()
    },

    async reset({ accountId, region }: Scope, settingId: string): Promise<void> {
      await db
        .deleteFrom('serviceSettings')
        .where('accountId', '=', accountId)
        .where('region', '=', region)
        .where('settingId', '=', settingId)
        .execute()
    },
  }
}
