import { BadValue } from './malformed.ts'

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?$/
const EPOCH = /^-?\d{5,15}(?:\.\d{1,9})?$/
const ISO_8601 =
  /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?)?)?$/
const BASE_64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const LONGEST_NUMBER = 64
const MS = 1000

/** What the values of a family of operators are: in the context, where anything may stand, and in policies. */
export type Kind<T> = { read: (text: string) => T | undefined; expected: string }

export const NUMBERS: Kind<number> = { read: remembering(readNumber), expected: 'a number, such as 5432' }
export const DATES: Kind<number> = {
  read: remembering(readDate),
  expected: 'a date such as 2026-11-30T12:00:00Z, or seconds since 1970',
}
export const BOOLEANS: Kind<boolean> = { read: readBoolean, expected: 'true or false' }
/** Compared as text: there is one way only to write bytes in Base64. */
export const BINARIES: Kind<string> = { read: readBinary, expected: 'Base64' }

/** For what a policy wants. Throws BadValue. */
export function mustBe<T>(kind: Kind<T>, text: string): T {
  const value = kind.read(text)
  if (value === undefined) throw new BadValue(`expected ${kind.expected}`)
  return value
}

/** Statement after statement asks for the same value of a request. */
export function remembering<T>(read: (text: string) => T): (text: string) => T {
  let last: { text: string; value: T } | undefined
  return text => {
    if (last?.text !== text) last = { text, value: read(text) }
    return last.value
  }
}

function readNumber(text: string): number | undefined {
  return text.length <= LONGEST_NUMBER && NUMBER.test(text) ? Number(text) : undefined
}

function readBoolean(text: string): boolean | undefined {
  const lower = text.toLowerCase()
  return lower === 'true' ? true : lower === 'false' ? false : undefined
}

function readBinary(text: string): string | undefined {
  return BASE_64.test(text) ? text : undefined
}

/**
 * Milliseconds since the epoch. The forms of https://www.w3.org/TR/NOTE-datetime, from `2026` on, or seconds since the
 * epoch; four digits are a year. A time without zone is UTC.
 */
function readDate(text: string): number | undefined {
  if (EPOCH.test(text)) return Number(text) * MS
  const [whole, year, month = '01', day = '01', hour = '0', minute = '0', second = '0', fraction, zone] =
    ISO_8601.exec(text) ?? []
  if (whole === undefined) return undefined
  const [h, m, s] = [Number(hour), Number(minute), Number(second)]
  if (h > 23 || m > 59 || s > 59) return undefined
  const midnight = Date.UTC(Number(year), Number(month) - 1, Number(day))
  const date = new Date(midnight)
  // Whoever counts months and days too far comes out in another month; the years before 100 in another century.
  if (date.getUTCDate() !== Number(day) || date.getUTCMonth() !== Number(month) - 1) return undefined
  if (date.getUTCFullYear() !== Number(year)) return undefined
  const offset = zoneMinutes(zone)
  if (offset === undefined) return undefined
  return midnight + ((h * 60 + m - offset) * 60 + s + Number(fraction ?? 0)) * MS
}

function zoneMinutes(zone = 'Z'): number | undefined {
  if (zone === 'Z') return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(-2))
  if (hours > 23 || minutes > 59) return undefined
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes)
}
