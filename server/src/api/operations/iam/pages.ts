import type { PageOutput } from '@sallyport/protocol/api/iam-types'

const DEFAULT_PAGE = 100

/**
 * One page of a whole list, which is put in the order of its markers. A marker is that of the last item which was
 * told, so pages neither repeat nor miss anything that was there all the time.
 */
export function iamPage<T>(
  items: readonly T[],
  { Marker, MaxItems = DEFAULT_PAGE }: { Marker?: string | undefined; MaxItems?: number | undefined },
  markerOf: (item: T) => string,
): PageOutput & { page: T[] } {
  const left = items
    .filter(item => Marker === undefined || markerOf(item) > Marker)
    .sort((a, b) => (markerOf(a) < markerOf(b) ? -1 : 1))
  const page = left.slice(0, MaxItems)
  const last = page.at(-1)
  if (page.length === left.length || last === undefined) return { page, IsTruncated: false }
  return { page, IsTruncated: true, Marker: markerOf(last) }
}
