import { randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Schema, Scope } from './schema.ts'

/** Random secrets that all servers share, such as the key that page and session tokens are made with. */
export function secretsIn(db: Kysely<Schema>) {
  return {
    /** `bytes` random bytes, made by whichever server asks first; every later caller gets the same. */
    async getOrCreate(scope: Scope, name: string, bytes: number): Promise<Uint8Array> {
      const { accountId, region } = scope
      await db
        .insertInto('secrets')
        .values({ accountId, region, name, value: randomBytes(bytes).toString('base64') })
        .onConflict(conflict => conflict.columns(['accountId', 'region', 'name']).doNothing())
        .execute()
      const { value } = await db
        .selectFrom('secrets')
        .select('value')
        .where('accountId', '=', accountId)
        .where('region', '=', region)
        .where('name', '=', name)
        .executeTakeFirstOrThrow()
      return new Uint8Array(Buffer.from(value, 'base64'))
    },

    /** The accounts and regions of all servers that ever used this store: each has secrets. */
    scopes(): Promise<Scope[]> {
      return db
        .selectFrom('secrets')
        .select(['accountId', 'region'])
        .distinct()
        .orderBy('accountId')
        .orderBy('region')
        .execute()
    },
  }
}
