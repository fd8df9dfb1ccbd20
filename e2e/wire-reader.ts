/** A whole HTTP message, or a whole websocket message or control frame. */
export type WireUnit = {
  kind: 'http' | 'text' | 'binary' | 'close' | 'ping' | 'pong'
  head: string
  body: Buffer
}

const OPCODES = { 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' } as const
const HEAD_END = '\r\n\r\n'

/** Reads one direction of a connection: HTTP/1.1 and, after an upgrade, the websocket protocol (RFC 6455 5.2). */
export class WireReader {
  #pending = Buffer.alloc(0)
  #upgraded = false
  #fragments: Array<{ kind: WireUnit['kind'] | undefined; payload: Buffer }> = []

  read(data: Buffer): WireUnit[] {
    this.#pending = Buffer.concat([this.#pending, data])
    const units: WireUnit[] = []
    for (;;) {
      const before = this.#pending.length
      const unit = this.#upgraded ? this.#message() : this.#http()
      if (unit !== undefined) units.push(unit)
      if (this.#pending.length === before) return units
    }
  }

  #http(): WireUnit | undefined {
    const end = this.#pending.indexOf(HEAD_END)
    if (end < 0) return undefined
    const head = this.#pending.toString('latin1', 0, end + HEAD_END.length)
    const rest = this.#pending.subarray(head.length)
    const length = /^transfer-encoding: *chunked/im.test(head)
      ? chunkedLength(rest)
      : Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
    if (rest.length < length) return undefined
    this.#pending = rest.subarray(length)
    this.#upgraded = /^upgrade: *websocket/im.test(head)
    return { kind: 'http', head, body: rest.subarray(0, length) }
  }

  /** A control frame may come between the frames of a message. */
  #message(): WireUnit | undefined {
    const frame = readFrame(this.#pending)
    if (frame === undefined) return undefined
    this.#pending = this.#pending.subarray(frame.size)
    const { final, kind, payload } = frame
    if (kind === 'close' || kind === 'ping' || kind === 'pong') return { kind, head: '', body: payload }
    this.#fragments.push({ kind, payload })
    if (!final) return undefined
    const [first] = this.#fragments
    const body = Buffer.concat(this.#fragments.map(fragment => fragment.payload))
    this.#fragments = []
    return { kind: first?.kind ?? 'binary', head: '', body }
  }
}

/** Infinity until all chunks are there. */
function chunkedLength(bytes: Buffer): number {
  let offset = 0
  for (;;) {
    const end = bytes.indexOf('\r\n', offset)
    if (end < 0) return Number.POSITIVE_INFINITY
    const size = Number.parseInt(bytes.toString('latin1', offset, end), 16)
    offset = end + 2 + size + 2
    if (offset > bytes.length) return Number.POSITIVE_INFINITY
    if (size === 0) return offset
  }
}

function readFrame(bytes: Buffer) {
  if (bytes.length < 2) return undefined
  const [first = 0, second = 0] = bytes
  const short = second & 0x7f
  let offset = short === 126 ? 4 : short === 127 ? 10 : 2
  const masked = (second & 0x80) !== 0
  if (bytes.length < offset + (masked ? 4 : 0)) return undefined
  const length =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short
  const mask = masked ? bytes.subarray(offset, offset + 4) : Buffer.alloc(4)
  offset += masked ? 4 : 0
  if (bytes.length < offset + length) return undefined
  const payload = Buffer.from(bytes.subarray(offset, offset + length))
  for (let index = 0; index < length; index++) payload[index] = (payload[index] ?? 0) ^ (mask[index % 4] ?? 0)
  const kind = OPCODES[(first & 0xf) as keyof typeof OPCODES] as WireUnit['kind'] | undefined
  return { size: offset + length, final: (first & 0x80) !== 0, kind, payload }
}
