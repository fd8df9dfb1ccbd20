/** What somebody wrote is not a policy. The message says where (from 1, in UTF-16 units) and what to write instead. */
export class MalformedPolicyError extends Error {
  override name = 'MalformedPolicyError'
  readonly line: number
  readonly column: number

  constructor(text: string, fault: PolicyFault) {
    const { line, column } = positionOf(text, fault.offset)
    super(`Syntax errors in policy: line ${line}, column ${column}: ${fault.message}`)
    this.line = line
    this.column = column
  }
}

/** The same while the text is being read: `offset` counts UTF-16 units from its beginning. */
export class PolicyFault extends Error {
  readonly offset: number

  constructor(offset: number, message: string) {
    super(message)
    this.offset = offset
  }
}

/** What is wrong with one value, wherever it stands. */
export class BadValue extends Error {}

const MAX_QUOTED = 80

/** For messages: short, on one line, without anything that a terminal obeys. */
export function quoted(text: string): string {
  const short = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text
  const inert = short.replace(/[\p{C}\u2028\u2029]/gu, escaped)
  return `'${inert}'`
}

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}

function positionOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset)
  const lineStart = before.lastIndexOf('\n') + 1
  return { line: before.split('\n').length, column: offset - lineStart + 1 }
}
