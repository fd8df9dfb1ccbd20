import { s } from '../aws/shape.ts'

/** In outputs: seconds since 1970, with a fraction of milliseconds (control-plane.md 16). */
export type Timestamp = number

/** The wire form of a time in milliseconds. */
export function toTimestamp(timeMs: number): Timestamp {
  return timeMs / 1000
}

/** The longest that a name may be where AWS's model sets no bound: for text that we only store. */
export const MAX_TEXT = 1024

export const nextToken = s.string({ max: 4096 })
export const maxResults = s.integer({ min: 1, max: 50 })
export const nodeId = s.string({ pattern: '(^i-(\\w{8}|\\w{17})$)|(^mi-\\w{17}$)' })

/** The answer of operations that have none. */
export type EmptyOutput = Readonly<Record<string, never>>
