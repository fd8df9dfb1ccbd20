import type { CreateTableBuilder, Kysely } from 'kysely'

// What all migrations build tables with. It means the same for ever: migrations that were applied do not change.

/** The first part of every primary key. */
export const scopeColumns = ['account_id', 'region']

/** Types are `text`, `integer` and `bigint`; a `?` behind one marks a column that may be null. */
export function createTable(
  db: Kysely<unknown>,
  name: string,
  key: string[],
  columns: Readonly<Record<string, string>>,
): CreateTableBuilder<string, string> {
  const all = Object.entries({ account_id: 'text', region: 'text', ...columns })
  let table: CreateTableBuilder<string, string> = db.schema.createTable(name)
  for (const [column, type] of all) {
    table = table.addColumn(column, baseType(type), definition =>
      type.endsWith('?') ? definition : definition.notNull(),
    )
  }
  return table.addPrimaryKeyConstraint(`${name}_key`, [...scopeColumns, ...key])
}

export function addColumn(db: Kysely<unknown>, table: string, column: string, type: `${string}?`) {
  return db.schema.alterTable(table).addColumn(column, baseType(type))
}

function baseType(type: string): 'text' | 'bigint' | 'integer' {
  return type.startsWith('text') ? 'text' : type.startsWith('bigint') ? 'bigint' : 'integer'
}
