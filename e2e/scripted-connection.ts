import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import * as tls from 'node:tls'
import type { Stack } from './stack.ts'
import { WireReader, type WireUnit } from './wire-reader.ts'

/** gorilla's write buffer in the stock programs: a longer message goes out in several frames (data-plane.md 5). */
const FRAGMENT = 4096
const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export type Response = { status: number; body: string }

/** One TLS connection to the server, on which every byte is the script's. */
export class ScriptedConnection {
  /** Set before `upgrade`; data frames only. */
  onFrame: (unit: WireUnit) => void = () => undefined
  readonly closed: Promise<void>
  readonly pongs: string[] = []
  readonly #socket: tls.TLSSocket
  readonly #reader = new WireReader()
  readonly #units: WireUnit[] = []
  #upgraded = false
  #onUnit: () => void = () => undefined

  static async open(stack: Stack): Promise<ScriptedConnection> {
    const socket = tls.connect({
      host: '127.0.0.1',
      port: stack.httpsPort,
      servername: 'localhost',
      ca: readFileSync(stack.caFile),
      minVersion: 'TLSv1.2',
    })
    await once(socket, 'secureConnect')
    return new ScriptedConnection(socket)
  }

  private constructor(socket: tls.TLSSocket) {
    this.#socket = socket
    this.closed = new Promise(resolve => {
      socket.on('close', () => {
        resolve()
        this.#onUnit()
      })
    })
    socket.on('error', () => undefined)
    socket.on('data', data => {
      for (const unit of this.#reader.read(data)) this.#take(unit)
    })
  }

  get open(): boolean {
    return !this.#socket.destroyed
  }

  /** Sends a request as its lines are, and waits for the response. */
  async request(lines: readonly string[], body: string): Promise<Response> {
    this.#socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`)
    while (this.#units.length === 0) {
      if (!this.open) throw new Error(`closed instead of an answer to ${lines[0]}`)
      await new Promise<void>(resolve => {
        this.#onUnit = resolve
      })
    }
    const { head = '', body: answer = Buffer.alloc(0) } = this.#units.shift() ?? {}
    return { status: Number(head.split(' ')[1]), body: answer.toString() }
  }

  async upgrade(lines: readonly string[]): Promise<void> {
    this.#upgraded = true
    const { status, body } = await this.request(lines, '')
    if (status !== 101) throw new Error(`the upgrade was answered ${status}: ${body}`)
  }

  send(kind: keyof typeof OPCODE, payload: string | Uint8Array): void {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    let offset = 0
    do {
      const piece = bytes.subarray(offset, offset + FRAGMENT)
      const final = offset + piece.length >= bytes.length
      this.#writeFrame((offset === 0 ? OPCODE[kind] : 0) | (final ? 0x80 : 0), piece)
      offset += piece.length
    } while (offset < bytes.length)
  }

  /** As the stock programs leave: no close frame. */
  destroy(): void {
    this.#socket.destroy()
  }

  /** Reads nothing more, so that what comes is lost when the connection is. */
  pause(): void {
    this.#socket.pause()
  }

  #take(unit: WireUnit): void {
    if (unit.kind === 'http') {
      this.#units.push(unit)
      this.#onUnit()
    } else if (unit.kind === 'ping') this.send('pong', unit.body)
    else if (unit.kind === 'close') this.destroy()
    else if (unit.kind === 'pong') this.pongs.push(String(unit.body))
    else if (this.#upgraded) this.onFrame(unit)
  }

  #writeFrame(first: number, payload: Uint8Array): void {
    const mask = randomBytes(4)
    const masked = Buffer.from(payload).map((byte, index) => byte ^ (mask[index % 4] ?? 0))
    const length =
      payload.length < 126
        ? Buffer.from([0x80 | payload.length])
        : Buffer.from([0xfe, payload.length >> 8, payload.length & 0xff])
    this.#socket.write(Buffer.concat([Buffer.from([first]), length, mask, masked]))
  }
}
