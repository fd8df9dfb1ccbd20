import { inert } from './inert.ts'

const NO_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
}

/** What a table gives up, in this order, to fit into so many columns of a terminal. */
type Fit = {
  columns: number
  /** Columns of cells that are cut down to `least` characters, in the middle or at the end. */
  shortened: ReadonlyArray<{ column: number; least: number; middle?: boolean }>
}

/** Rows in columns, without borders or colours, one line each: for people and for awk alike. Cells are made inert. */
export const formatTable = async (
  head: readonly string[],
  rows: readonly unknown[][],
  fit?: Fit,
): Promise<string> => {
  const { default: Table } = await import('cli-table3')
  const table = new Table({
    head: [...head],
    chars: NO_BORDERS,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  })
  // An empty cell would shift the columns of whoever splits at white space.
  const cells = rows.map(row => row.map(cell => inert(cell) || '-'))
  if (fit !== undefined) shorten(head, cells, fit)
  table.push(...cells)
  return `${table.toString().replace(/ +$/gm, '')}\n`
}

const GAP = 2

const shorten = (head: readonly string[], rows: string[][], { columns, shortened }: Fit): void => {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map(row => row[i]?.length ?? 0)))
  let excess = widths.reduce((sum, width) => sum + width + GAP, -GAP) - columns
  for (const { column, least, middle = false } of shortened) {
    const width = widths[column] ?? 0
    const kept = Math.max(Math.min(width, least), width - Math.max(0, excess))
    excess -= width - kept
    for (const row of rows) row[column] = cut(row[column] ?? '', kept, middle)
  }
}

const cut = (text: string, length: number, middle: boolean): string => {
  if (text.length <= length) return text
  const tail = middle ? Math.floor((length - 1) / 2) : 0
  return `${text.slice(0, length - 1 - tail)}…${text.slice(text.length - tail)}`
}

const UNITS = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'm'],
  [1, 's'],
] as const

/** How long ago, in the largest whole unit: `14m`. Both in seconds since 1970; empty when unknown. */
export const formatAge = (then: number | undefined, now: number): string => {
  if (typeof then !== 'number' || !Number.isFinite(then)) return ''
  const seconds = Math.max(0, Math.floor(now - then))
  const [size, unit] = UNITS.find(([length]) => seconds >= length) ?? [1, 's']
  return `${Math.floor(seconds / size)}${unit}`
}
