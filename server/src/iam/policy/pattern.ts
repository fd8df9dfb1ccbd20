import type { ContextValues } from './context-values.ts'
import { ANY, ONE, substitute, type Template } from './template.ts'

/** What matching needs of a text. */
export type Characters = Pick<string, 'length' | 'charCodeAt'>

export type TextPattern = (text: string, context: ContextValues) => boolean

/** `*` matches any characters, `?` one UTF-16 unit, everything else itself. Nothing matches an unset variable. */
export function compilePattern(template: Template): TextPattern {
  const wild = template.findIndex(part => typeof part === 'number')
  const head = wild === -1 ? template : template.slice(0, wild)
  const tail = wild === -1 ? [] : template.slice(wild)
  const [only] = head
  if (head.length === 1 && typeof only === 'string' && tail.length === 0) return text => text === only
  const fitsTail = compileTail(tail)
  // Nearly every pattern is done with, one way or the other, before its first wildcard.
  return (text, context) => {
    let at = 0
    for (const part of head) {
      const value = typeof part === 'object' ? substitute(part, context) : part
      if (typeof value !== 'string' || !text.startsWith(value, at)) return false
      at += value.length
    }
    return fitsTail(text, at, context)
  }
}

/** What begins with a wildcard, or nothing. */
function compileTail(tail: Template): (text: string, from: number, context: ContextValues) => boolean {
  if (tail.length === 0) return (text, from) => from === text.length
  if (isAnything(tail)) return () => true
  const fixed = tail.some(part => typeof part === 'object') ? undefined : codesOf(tail, new Map())
  return (text, from, context) => {
    const codes = fixed ?? codesOf(tail, context)
    return codes !== undefined && matches(codes, text, from)
  }
}

export function isAnything(template: Template): boolean {
  return template.length === 1 && template[0] === ANY
}

/** Character codes, ANY and ONE. The value of a variable gives character codes only: it never widens a match. */
export function codesOf(template: Template, context: ContextValues): readonly number[] | undefined {
  const codes: number[] = []
  for (const part of template) {
    if (typeof part === 'number') {
      codes.push(part)
      continue
    }
    const text = typeof part === 'string' ? part : substitute(part, context)
    if (text === undefined) return undefined
    for (let index = 0; index < text.length; index++) codes.push(text.charCodeAt(index))
  }
  return codes
}

/**
 * Takes what a `*` stands for as short as possible, and one character longer each time the rest does not fit. It never
 * returns to an earlier `*`: that could only find the same place again. So it takes at most text × pattern steps.
 */
export function matches(pattern: readonly number[], text: Characters, from = 0): boolean {
  let at = from
  let next = 0
  let star = -1
  let resume = 0
  while (at < text.length) {
    const code = pattern[next]
    if (code === ANY) {
      star = next++
      resume = at
    } else if (code !== undefined && (code === ONE || code === text.charCodeAt(at))) {
      next++
      at++
    } else if (star === -1) {
      return false
    } else {
      next = star + 1
      at = ++resume
    }
  }
  while (pattern[next] === ANY) next++
  return next === pattern.length
}
