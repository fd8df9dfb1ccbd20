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

/** Rows in columns, without borders or colours, one line each: for people and for awk alike. Cells are made inert. */
export const formatTable = async (head: readonly string[], rows: readonly unknown[][]): Promise<string> => {
  const { default: Table } = await import('cli-table3')
  const table = new Table({
    head: [...head],
    chars: NO_BORDERS,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  })
  // An empty cell would shift the columns of whoever splits at white space.
  for (const row of rows) table.push(row.map(cell => inert(cell) || '-'))
  return `${table.toString().replace(/ +$/gm, '')}\n`
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
