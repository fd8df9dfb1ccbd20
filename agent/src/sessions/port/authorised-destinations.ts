import { jsonRecord } from '@sallyport/protocol/json-record'
import { type Host, readHost } from './host.ts'

const taskRecord = jsonRecord('Sallyport of the session task', { Destinations: 'json?' })
const destinationRecord = jsonRecord('destination that the session is authorised for', {
  Host: 'string',
  Port: 'number',
})
const MAXIMUM_ENTRIES = 1000

/**
 * The destinations that policies allowed a session at the server. Each stream's is looked up here again before anything
 * connects: one more lock on a door that the document and the server keep shut already (DESIGN 6.6).
 */
export class AuthorisedDestinations {
  readonly #entries: ReadonlyArray<{ name: string; port: number }>

  /** Throws if the list cannot be read. */
  constructor(list: unknown) {
    if (!Array.isArray(list) || list.length > MAXIMUM_ENTRIES) {
      throw new RangeError(
        `The server's list of authorised destinations is no list of ${MAXIMUM_ENTRIES} at most.`,
      )
    }
    this.#entries = list.map(entry => {
      const { Host: host, Port: port } = destinationRecord.read(entry)
      return { name: nameOf(readHost(host)), port }
    })
  }

  covers(host: Host, port: number): boolean {
    const name = nameOf(host)
    return this.#entries.some(entry => entry.name === name && entry.port === port)
  }
}

/** What the session task says of destinations; undefined from a server that says nothing of them. */
export function authorisedDestinations(member: unknown): AuthorisedDestinations | undefined {
  if (member === undefined || member === null) return undefined
  const { Destinations: list } = taskRecord.read(member)
  return list === undefined ? undefined : new AuthorisedDestinations(list)
}

/** With or without its last dot a name leads to the same host, as far as policies go. */
function nameOf({ name }: Host): string {
  return name.replace(/\.$/, '')
}
