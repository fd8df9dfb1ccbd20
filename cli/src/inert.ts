/** Longest string of a node or server that is shown: a table stays a table. */
const MAX_SHOWN = 120

/**
 * Control characters (C0, DEL, C1), which drive a terminal; bidirectional overrides and isolates, zero-width
 * characters and line separators, which make one text look like another (Unicode TR 36).
 */
const ACTIVE = /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/gu

/** A string that a node or a server chose, made safe to print: what it could do to a terminal becomes `?`. */
export const inert = (value: unknown, maxLength: number = MAX_SHOWN): string => {
  if (value === undefined || value === null) return ''
  const shown = String(value).replace(ACTIVE, '?')
  return shown.length > maxLength ? `${shown.slice(0, maxLength - 1)}…` : shown
}

/**
 * JSON that is as safe to print: what JSON does not escape by itself is escaped, so it still parses the same. Without
 * `indent` it is one line.
 */
export const inertJson = (value: unknown, indent = 2): string =>
  JSON.stringify(value, null, indent).replace(ACTIVE, character =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** An error's message for a terminal: its own line breaks stay, everything else active does not. */
export const inertLines = (text: string): string =>
  text
    .split(/\r?\n/)
    .map(line => inert(line, Number.POSITIVE_INFINITY))
    .join('\n')

/** Colours and "erase the rest of the line" (ECMA-48: SGR, EL), which programs add to lines for a terminal. */
const COLOURS = /\x1b\[[\d;:]*[mK]/g

/**
 * A line of a command's output for a terminal: without its colours, of a line that was written over (a progress bar)
 * the last state, with its tabs.
 */
export const inertOutputLine = (line: string): string =>
  (line.split('\r').findLast(state => state !== '') ?? '')
    .replace(COLOURS, '')
    .replace(ACTIVE, character => (character === '\t' ? character : '?'))
