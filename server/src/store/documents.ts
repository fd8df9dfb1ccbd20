import type { Kysely, Transaction } from 'kysely'
import { documentSharesIn } from './document-shares.ts'
import { inTransaction } from './in-transaction.ts'
import { type Page, type PageRequest, rowsToRead, startAfter, toPage } from './pages.ts'
import type { DocumentRow, Schema, Scope } from './schema.ts'

export type StoredDocument = Omit<DocumentRow, 'isDefault' | 'highestVersion'> & { isDefault: boolean }

/** Which version: a number, the default one, or the newest. */
export type VersionSelector = number | '$DEFAULT' | '$LATEST'

export type NewDocumentVersion = Pick<
  DocumentRow,
  'name' | 'documentType' | 'documentFormat' | 'content' | 'hash' | 'createdAt'
> &
  Partial<Pick<DocumentRow, 'displayName' | 'versionName' | 'targetType' | 'status'>>

/** All must hold. */
export type DocumentFilters = { names?: string[]; namePrefix?: string; documentTypes?: string[] }

export type Documents = ReturnType<typeof documentsIn>

const unsaid = { displayName: null, versionName: null, targetType: null, status: 'Active' }

export function documentsIn(db: Kysely<Schema>) {
  const rows = (scope: Scope) => documentRows(db, scope)

  return {
    async get(
      scope: Scope,
      name: string,
      version: VersionSelector = '$DEFAULT',
    ): Promise<StoredDocument | undefined> {
      const named = rows(scope).where('name', '=', name)
      const row = await selectVersion(named, version).executeTakeFirst()
      return row && toDocument(row)
    },

    /** The default version of each, by name. */
    async list(scope: Scope, filters: DocumentFilters, page: PageRequest): Promise<Page<StoredDocument>> {
      const after = startAfter('documents', page, ['string'])
      const { names, namePrefix, documentTypes } = filters
      let query = rows(scope).where('isDefault', '=', 1)
      if (names) query = query.where('name', 'in', names)
      if (documentTypes) query = query.where('documentType', 'in', documentTypes)
      if (namePrefix !== undefined) {
        // LIKE ignores case in SQLite and minds it in PostgreSQL.
        query = query.where(({ eb, fn, val, lit }) =>
          eb(fn<string>('substr', ['name', lit(1), val(namePrefix.length)]), '=', namePrefix),
        )
      }
      if (after) query = query.where('name', '>', after[0])
      const found = await query.orderBy('name').limit(rowsToRead(page)).execute()
      return toPage('documents', page, found.map(toDocument), last => [last.name])
    },

    /** Newest first. */
    async listVersions(scope: Scope, name: string, page: PageRequest): Promise<Page<StoredDocument>> {
      const after = startAfter('document-versions', page, ['number'])
      let query = rows(scope).where('name', '=', name)
      if (after) query = query.where('version', '<', after[0])
      const found = await query.orderBy('version', 'desc').limit(rowsToRead(page)).execute()
      return toPage('document-versions', page, found.map(toDocument), last => [last.version])
    },

    /** Version 1, which is the default. StoreError `constraint` when the name is taken. */
    create(scope: Scope, document: NewDocumentVersion): Promise<StoredDocument> {
      return insertVersion(db, scope, document, { version: 1, highest: 1 }, true)
    },

    /**
     * Adds a version, the first of a new document or one more of an existing one. The first is the default; a
     * later one only with `makeDefault`, as AWS has it (control-plane.md 22).
     */
    put(scope: Scope, document: NewDocumentVersion, makeDefault = false): Promise<StoredDocument> {
      return db.transaction().execute(async transaction => {
        const latest = await latestOf(transaction, scope, document.name)
        if (latest && makeDefault) await clearDefault(transaction, scope, document.name)
        const version = (latest === undefined ? 0 : highestOf(latest)) + 1
        const number = { version, highest: version }
        return insertVersion(transaction, scope, document, number, makeDefault || !latest)
      })
    },

    /** False, with nothing changed, when there is no such version. */
    setDefault(scope: Scope, name: string, version: number): Promise<boolean> {
      return db.transaction().execute(async transaction => {
        const row = await documentRows(transaction, scope)
          .where('name', '=', name)
          .where('version', '=', version)
          .executeTakeFirst()
        if (!row) return false
        await clearDefault(transaction, scope, name)
        await updateVersions(transaction, scope, name)
          .set({ isDefault: 1 })
          .where('version', '=', version)
          .execute()
        return true
      })
    },

    /** Deletes one version, or the whole document with whom it is shared. Answers how many versions went. */
    delete(scope: Scope, name: string, version?: number): Promise<number> {
      return inTransaction(db, async transaction => {
        const latest = await latestOf(transaction, scope, name)
        let query = transaction
          .deleteFrom('documents')
          .where('accountId', '=', scope.accountId)
          .where('region', '=', scope.region)
          .where('name', '=', name)
        if (version !== undefined) query = query.where('version', '=', version)
        const deleted = Number((await query.executeTakeFirst()).numDeletedRows)
        // Its number does not come back with another content: commands name the version that they ran.
        if (latest !== undefined && version === latest.version) {
          const highestVersion = highestOf(latest)
          await updateVersions(transaction, scope, name).set({ highestVersion }).execute()
        }
        if (version === undefined) await documentSharesIn(transaction).clear(scope, name)
        return deleted
      })
    },
  }
}

function documentRows(db: Kysely<Schema>, scope: Scope) {
  return db
    .selectFrom('documents')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
}

function latestOf(db: Kysely<Schema>, scope: Scope, name: string): Promise<DocumentRow | undefined> {
  return selectVersion(documentRows(db, scope).where('name', '=', name), '$LATEST').executeTakeFirst()
}

/** Rows that were there before the column have none. */
function highestOf({ version, highestVersion }: DocumentRow): number {
  return Math.max(version, highestVersion ?? 0)
}

function selectVersion(query: ReturnType<typeof documentRows>, version: VersionSelector) {
  if (version === '$DEFAULT') return query.where('isDefault', '=', 1)
  if (version === '$LATEST') return query.orderBy('version', 'desc').limit(1)
  return query.where('version', '=', version)
}

function updateVersions(db: Kysely<Schema>, scope: Scope, name: string) {
  return db
    .updateTable('documents')
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
    .where('name', '=', name)
}

async function clearDefault(transaction: Transaction<Schema>, scope: Scope, name: string): Promise<void> {
  await updateVersions(transaction, scope, name).set({ isDefault: 0 }).where('isDefault', '=', 1).execute()
}

async function insertVersion(
  db: Kysely<Schema>,
  { accountId, region }: Scope,
  document: NewDocumentVersion,
  { version, highest }: { version: number; highest: number },
  isDefault: boolean,
): Promise<StoredDocument> {
  const row: DocumentRow = {
    ...unsaid,
    ...document,
    accountId,
    region,
    version,
    highestVersion: highest,
    isDefault: isDefault ? 1 : 0,
  }
  await db.insertInto('documents').values(row).execute()
  return toDocument(row)
}

function toDocument({ highestVersion: _, ...row }: DocumentRow): StoredDocument {
  return { ...row, isDefault: row.isDefault === 1 }
}
