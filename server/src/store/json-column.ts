import type { Json } from './schema.ts'

/** JSON columns are text in every database. */
export function toColumn(value: Json): string {
  return JSON.stringify(value)
}

/** What toColumn wrote; the caller knows its type, since only the store writes the column. */
export function fromColumn<T extends Json = Json>(text: string): T {
  return JSON.parse(text) as T
}
