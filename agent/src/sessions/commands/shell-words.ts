/** Where quoting in a command goes wrong. */
const unfinished = (what: string): Error =>
  new Error(`The command cannot be split into words: ${what}. Quote it as for a shell.`)

/** Inside double quotes a backslash stands for itself but before these (POSIX.1-2024 XCU 2.2.3). */
const ESCAPED_IN_QUOTES = '$`"\\\n'

/**
 * Splits a command into words as a POSIX shell does (XCU 2.2, 2.3), quotes, backslashes and comments included, and does
 * nothing else of what a shell does: `$`, `*`, `;`, `|`, `>` and the rest are characters. Throws if a quote is left open.
 */
export function shellWords(command: string): string[] {
  const words: string[] = []
  let at = 0
  while (at < command.length) {
    const c = command[at]
    if (isBlank(c)) at++
    else if (c === '\\' && command[at + 1] === '\n') at += 2
    else if (c === '#') at = endOfLine(command, at)
    else {
      const { word, end } = readWord(command, at)
      words.push(word)
      at = end
    }
  }
  return words
}

function readWord(command: string, start: number): { word: string; end: number } {
  let word = ''
  let at = start
  while (at < command.length && !isBlank(command[at])) {
    const c = command[at]
    if (c === "'") {
      const end = command.indexOf("'", at + 1)
      if (end < 0) throw unfinished('a single quote is not closed')
      word += command.slice(at + 1, end)
      at = end + 1
    } else if (c === '"') {
      const quoted = readDoubleQuoted(command, at + 1)
      word += quoted.text
      at = quoted.end
    } else if (c === '\\') {
      const next = command[at + 1]
      if (next === undefined) throw unfinished('it ends with a backslash')
      if (next !== '\n') word += next
      at += 2
    } else {
      word += c
      at++
    }
  }
  return { word, end: at }
}

function readDoubleQuoted(command: string, start: number): { text: string; end: number } {
  let text = ''
  for (let at = start; at < command.length; at++) {
    const c = command[at]
    if (c === '"') return { text, end: at + 1 }
    const next = command[at + 1]
    if (c !== '\\' || next === undefined || !ESCAPED_IN_QUOTES.includes(next)) {
      text += c
      continue
    }
    if (next !== '\n') text += next
    at++
  }
  throw unfinished('a double quote is not closed')
}

function endOfLine(command: string, at: number): number {
  const end = command.indexOf('\n', at)
  return end < 0 ? command.length : end
}

function isBlank(c: string | undefined): boolean {
  return c === ' ' || c === '\t' || c === '\n'
}
