/** Numbers for people: medians, percentiles, and tables in Markdown that line up in a terminal too. */

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const index = Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))
  return sorted[index] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** Three significant digits, no exponent. `-` where nothing was measured. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const magnitude = Math.abs(value)
  return value.toFixed(magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : 2)
}

export function ratio(value: number, peer: number): string {
  return Number.isFinite(value / peer) ? `${(value / peer).toFixed(2)} ×` : '-'
}

/** The first column is text, the others are figures. */
export function printTable(title: string, head: readonly string[], rows: ReadonlyArray<readonly string[]>) {
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map(row => cell(row, column).length)),
  )
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, column) => align(cell(cells, column), width, column)).join(' | ')} |`
  const rule = `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`
  console.log([`\n### ${title}\n`, line(head), rule, ...rows.map(line)].join('\n'))
}

function cell(cells: readonly string[], column: number): string {
  return cells[column] ?? ''
}

function align(text: string, width: number, column: number): string {
  return column === 0 ? text.padEnd(width) : text.padStart(width)
}
