import type { ContextValues } from './context-values.ts'
import { BadValue } from './malformed.ts'

/** `*` and `?` of a template. Negative: every other code is that of a UTF-16 unit. */
export const ANY = -1
export const ONE = -2

/** `key` is in lower case, `spelling` as it was written. */
export type Variable = { readonly key: string; readonly spelling: string; readonly fallback?: string }
export type Wildcard = typeof ANY | typeof ONE

/** A text of a policy, cut where something else than the text itself is meant. */
export type Template = ReadonlyArray<string | Wildcard | Variable>

export type TemplateOptions = {
  /** Whether `*` and `?` stand for other characters. */
  wildcards: boolean
  /** Whether `${…}` stands for something: since version 2012-10-17 (IAM user guide, "Variables and tags"). */
  variables: boolean
}

const WILDCARDS: ReadonlyMap<string, Wildcard> = new Map([
  ['*', ANY],
  ['?', ONE],
])

/** `${*}`, `${?}` and `${$}` stand for the character itself. */
const SPECIAL = /\$\{([*?$])\}/y
/** A condition key, and what to take where it has no value: `${key}`, `${key, 'default'}`. */
const VARIABLE = /\$\{([^:${}*?',]+:[^${}*?',]+)(?:,\s*'([^']*)'\s*)?\}/y
const MEANINGFUL = /[*?]|\$\{/g

/** Throws BadValue for a variable that is not closed or names no condition key. */
export function readTemplate(text: string, options: TemplateOptions): Template {
  const parts: Array<string | Wildcard | Variable> = []
  let literal = ''
  let at = 0
  const take = (part: Wildcard | Variable) => {
    if (literal !== '') parts.push(literal)
    literal = ''
    parts.push(part)
  }
  for (const { 0: found, index } of text.matchAll(MEANINGFUL)) {
    // Inside a variable, such as a star in its default.
    if (index < at) continue
    const wildcard = WILDCARDS.get(found)
    if (wildcard === undefined ? !options.variables : !options.wildcards) continue
    literal += text.slice(at, index)
    if (wildcard !== undefined) {
      take(wildcard)
      at = index + found.length
      continue
    }
    const [special, character] = matchAt(SPECIAL, text, index) ?? []
    if (special !== undefined) {
      literal += character
      at = index + special.length
    } else {
      const [variable, length] = readVariable(text, index)
      take(variable)
      at = index + length
    }
  }
  literal += text.slice(at)
  if (literal !== '') parts.push(literal)
  return parts
}

function readVariable(text: string, at: number): [Variable, length: number] {
  const found = matchAt(VARIABLE, text, at)
  const [whole, padded, fallback] = found ?? []
  const spelling = padded?.trim()
  if (whole === undefined || spelling === undefined) {
    const why = text.includes('}', at)
      ? "is no variable: expected ${vendor:key} or ${vendor:key, 'default'}; ${$} stands for a dollar sign"
      : "has no closing '}'"
    throw new BadValue(`the policy variable at character ${at + 1} ${why}`)
  }
  const key = spelling.toLowerCase()
  return [{ key, spelling, ...(fallback === undefined ? {} : { fallback }) }, whole.length]
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(text)
}

export function variablesOf(template: Template): Variable[] {
  return template.filter(part => typeof part === 'object')
}

/**
 * What a variable stands for: exactly these characters, whichever they are. Undefined where the key has no value and
 * there is no default, and where it has several: "you cannot use a multivalued context key as a policy variable".
 */
export function substitute({ key, fallback }: Variable, context: ContextValues): string | undefined {
  const values = context.get(key)
  if (values === undefined || values.length === 0) return fallback
  return values.length === 1 ? values[0] : undefined
}

/** For templates without wildcards. Undefined where a variable has no value. */
export function textOf(template: Template, context: ContextValues): string | undefined {
  let text = ''
  for (const part of template) {
    if (typeof part === 'number') continue
    const value = typeof part === 'string' ? part : substitute(part, context)
    if (value === undefined) return undefined
    text += value
  }
  return text
}
