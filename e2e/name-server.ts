import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

const HEADER = 12
const TYPE_A = 1
/** RFC 1035 4.1.1: a response, authoritative, recursion available. */
const RESPONSE = 0x8580
const NO_SUCH_NAME = 3
/** Points at the name in the question. */
const SAME_NAME = 0xc00c

/** A name server whose answers may differ from one query to the next, and must not be kept (RFC 1035). */
export class NameServer implements AsyncDisposable {
  readonly #socket: Socket
  readonly #names: Readonly<Record<string, () => readonly string[]>>
  /** Queries for addresses of version 4, by name. */
  readonly asked: string[] = []

  static async listen(
    address: string,
    names: Readonly<Record<string, () => readonly string[]>>,
  ): Promise<NameServer> {
    const socket = createSocket('udp4')
    socket.bind(53, address)
    await once(socket, 'listening')
    return new NameServer(socket, names)
  }

  private constructor(socket: Socket, names: Readonly<Record<string, () => readonly string[]>>) {
    this.#socket = socket
    this.#names = names
    socket.on('message', (query, { address, port }) => socket.send(this.#answer(query), port, address))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#socket, 'close')
    this.#socket.close()
    await closed
  }

  #answer(query: Buffer): Buffer {
    const { name, type, end } = readQuestion(query)
    const addresses = this.#names[name]
    if (type === TYPE_A) this.asked.push(name)
    const records = type === TYPE_A ? (addresses?.() ?? []) : []
    const header = Buffer.alloc(HEADER)
    query.copy(header, 0, 0, 2)
    header.writeUInt16BE(RESPONSE | (addresses === undefined ? NO_SUCH_NAME : 0), 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(records.length, 6)
    return Buffer.concat([header, query.subarray(HEADER, end), ...records.map(recordOf)])
  }
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = []
  let at = HEADER
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

/** Lives for no second. */
function recordOf(address: string): Buffer {
  const record = Buffer.alloc(16)
  record.writeUInt16BE(SAME_NAME, 0)
  record.writeUInt16BE(TYPE_A, 2)
  record.writeUInt16BE(1, 4)
  record.writeUInt16BE(4, 10)
  record.set(address.split('.').map(Number), 12)
  return record
}
