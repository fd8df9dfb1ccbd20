import { StoreError } from './errors.ts'

/** `token` is the `nextToken` of the page before, from a list with the same filters. */
export type PageRequest = { limit: number; token?: string | undefined }

/** `nextToken` is undefined on the last page. */
export type Page<T> = { items: T[]; nextToken: string | undefined }

/** What a list is ordered by, as the columns of its last row. */
type Keyset = readonly (string | number)[]
type KeyKind = 'string' | 'number'
type KeyOf<Shape extends readonly KeyKind[]> = {
  -readonly [Index in keyof Shape]: Shape[Index] extends 'string' ? string : number
}

const MAX_PAGE = 1_000
const MAX_TOKEN_LENGTH = 2_048

/** How many rows to ask for: one more than the page holds tells whether there is another page. */
export function rowsToRead(page: PageRequest): number {
  return pageSize(page) + 1
}

export function toPage<T>(list: string, page: PageRequest, items: T[], keyOf: (item: T) => Keyset): Page<T> {
  const size = pageSize(page)
  const last = items[size - 1]
  if (items.length <= size || last === undefined) return { items, nextToken: undefined }
  const token = Buffer.from(JSON.stringify([list, ...keyOf(last)])).toString('base64url')
  return { items: items.slice(0, size), nextToken: token }
}

/** The keyset that `page` goes on after; undefined for the first page. Throws StoreError `bad-token`. */
export function startAfter<const Shape extends readonly KeyKind[]>(
  list: string,
  page: PageRequest,
  shape: Shape,
): KeyOf<Shape> | undefined {
  if (page.token === undefined) return undefined
  const [name, ...key] = parse(page.token)
  const valid =
    name === list && key.length === shape.length && shape.every((kind, at) => isKey(key[at], kind))
  if (!valid) throw badToken()
  return key as KeyOf<Shape>
}

function parse(token: string): unknown[] {
  if (token.length > MAX_TOKEN_LENGTH || !/^[\w-]+$/.test(token)) throw badToken()
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString())
    if (Array.isArray(value)) return value
  } catch {
    // Falls through to the one error that a bad token gets.
  }
  throw badToken()
}

function isKey(value: unknown, kind: KeyKind): boolean {
  return kind === 'number' ? Number.isSafeInteger(value) : typeof value === 'string'
}

function badToken(): StoreError {
  return new StoreError('bad-token', 'the page token was not given by this list; start again without one')
}

function pageSize(page: PageRequest): number {
  return Math.min(Math.max(Math.trunc(page.limit), 1), MAX_PAGE)
}
