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

/** Indented JSON that is as safe to print: what JSON does not escape by itself is escaped, so it still parses the same. */
export const inertJson = (value: unknown): string =>
  JSON.stringify(value, null, 2).replace(ACTIVE, character =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** An error's message for a terminal: its own line breaks stay, everything else active does not. */
export const inertLines = (text: string): string =>
  text
    .split(/\r?\n/)
    .map(line => inert(line, Number.POSITIVE_INFINITY))
    .join('\n')
