import type { Page, PageRequest } from '@sallyport/server/store/pages'

const DEFAULT_PAGE = 1000
/** However little fits, a request reads no more pages than these; its caller goes on with the next. */
const MAXIMUM_ROUNDS = 50

/** Pages of what fits, from a list that cannot be asked for it. */
export async function fittingPage<T>(
  { MaxResults = DEFAULT_PAGE, NextToken }: PageInput,
  read: (page: PageRequest) => Promise<Page<T>>,
  fits: (item: T) => boolean,
): Promise<Page<T>> {
  const items: T[] = []
  let token: string | undefined = NextToken
  for (let round = 0; round < MAXIMUM_ROUNDS; round++) {
    const page: Page<T> = await read({ limit: MaxResults - items.length, token })
    items.push(...page.items.filter(fits))
    token = page.nextToken
    if (token === undefined || items.length >= MaxResults) break
  }
  return { items, nextToken: token }
}

type PageInput = { MaxResults?: number | undefined; NextToken?: string | undefined }
