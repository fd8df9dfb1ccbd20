import { decodeUtf8Strictly, utf8 } from './bytes.ts'
import { ProtocolError } from './errors.ts'

/** Larger JSON is refused before it costs memory or time; what fits may be as deep as it likes. */
const MAXIMUM_JSON_SIZE = 512 * 1024

type Kinds = { string: string; number: number; boolean: boolean; json: unknown }
type Kind = keyof Kinds
type Field = Kind | `${Kind}?`
type Fields = Record<string, Field>
type Required<F extends Fields> = { [K in keyof F]: F[K] extends `${string}?` ? never : K }[keyof F]
type KindOf<F> = F extends `${infer K extends Kind}?` ? K : F extends Kind ? F : never

/** The value that a record with these fields holds. */
export type RecordOf<F extends Fields> = { [K in Required<F>]: Kinds[KindOf<F[K]>] } & {
  [K in Exclude<keyof F, Required<F>>]?: Kinds[KindOf<F[K]>] | undefined
}

export type JsonRecord<F extends Fields> = {
  /** UTF-8 JSON, keys in the order of the declaration, as stock peers print them. */
  encode(value: RecordOf<F>): Uint8Array
  /** Throws `ProtocolError` ('bad-json', 'bad-payload') and names the record and the member. */
  decode(bytes: Uint8Array): RecordOf<F>
  /** The same for JSON that is parsed already. */
  read(json: unknown): RecordOf<F>
}

/**
 * A JSON payload as its peers treat it: keys are written exactly so and matched without regard to case, types
 * are strict, unknown keys are ignored, and null counts as absent (data-plane.md 4).
 */
export function jsonRecord<const F extends Fields>(name: string, fields: F): JsonRecord<F> {
  const read = (json: unknown) => readRecord(name, fields, json) as RecordOf<F>
  return {
    encode: value => {
      const record = value as Record<string, unknown>
      return utf8(JSON.stringify(Object.fromEntries(Object.keys(fields).map(key => [key, record[key]]))))
    },
    decode: bytes => read(parseJson(name, bytes)),
    read,
  }
}

/** Parses untrusted UTF-8 JSON; `what` names it in the error. */
export function parseJson(what: string, bytes: Uint8Array): unknown {
  if (bytes.length > MAXIMUM_JSON_SIZE) {
    throw new ProtocolError('bad-json', `${what} has ${bytes.length} bytes, more than ${MAXIMUM_JSON_SIZE}`)
  }
  try {
    return JSON.parse(decodeUtf8Strictly(bytes))
  } catch (cause) {
    throw new ProtocolError('bad-json', `${what} is not valid JSON`, { cause })
  }
}

function readRecord(name: string, fields: Fields, json: unknown): Record<string, unknown> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new ProtocolError('bad-payload', `${name} is not a JSON object`)
  }
  const given = new Map(Object.entries(json).map(([key, value]) => [key.toLowerCase(), value]))
  const record: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(fields)) {
    const value = given.get(key.toLowerCase())
    if (value === undefined || value === null) {
      if (!field.endsWith('?')) throw new ProtocolError('bad-payload', `${name} lacks ${key}`)
      continue
    }
    const kind = field.replace('?', '')
    if (kind !== 'json' && typeof value !== kind) {
      throw new ProtocolError('bad-payload', `${key} of ${name} is a ${typeof value}, not a ${kind}`)
    }
    record[key] = value
  }
  return record
}
