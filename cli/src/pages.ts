import type { ApiClient } from './client.ts'

export type Listed<Item> = { items: Item[] /** There were more than `limit`. */; truncated: boolean }

/** All pages of a `Describe…` operation of ssm, up to `limit` items. `member` is the list's name in the answer. */
export const listAll = async <Item>(
  client: ApiClient,
  operation: string,
  input: Readonly<Record<string, unknown>>,
  member: string,
  limit: number,
): Promise<Listed<Item>> => {
  const items: Item[] = []
  let token: string | undefined
  do {
    const page = token === undefined ? input : { ...input, NextToken: token }
    const answer = (await client.call('ssm', operation, page)) as Record<string, unknown>
    const list = answer[member]
    if (Array.isArray(list)) items.push(...(list as Item[]))
    token = typeof answer.NextToken === 'string' && answer.NextToken !== '' ? answer.NextToken : undefined
  } while (token !== undefined && items.length < limit)
  return { items: items.slice(0, limit), truncated: token !== undefined || items.length > limit }
}
