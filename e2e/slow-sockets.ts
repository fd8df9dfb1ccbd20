import { connect, type Socket } from 'node:net'
import * as tls from 'node:tls'
import type { Stack } from './stack.ts'

/** What a connection sends before it falls silent: bytes below TLS, or text above it, then bytes after the answer. */
export type Beginning = {
  raw?: Uint8Array
  text?: string
  /** A list is written piece by piece, each in a TLS record of its own. */
  after?: Uint8Array | readonly Uint8Array[]
  dribble?: string
}

const DRIBBLE_MS = 200
/** First byte of a websocket close frame (RFC 6455 5.2). */
const CLOSE_FRAME = 0x88

/** Connections to the server that begin something, never finish it, and wait for the server to lose patience. */
export class SlowSockets implements AsyncDisposable {
  readonly #port: number
  readonly #began: Promise<void>[] = []
  readonly #left = new Map<Socket, string>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #onLess: () => void = () => {}

  constructor(stack: Stack) {
    this.#port = stack.httpsPort
  }

  open(kind: string, beginning: Beginning): void {
    const address = { host: '127.0.0.1', port: this.#port }
    const secure = beginning.text !== undefined
    // Who answers is of no interest here.
    const socket = secure ? tls.connect({ ...address, rejectUnauthorized: false }) : connect(address)
    this.#left.set(socket, kind)
    const gone = () => this.#gone(socket)
    socket.on('error', gone).on('end', gone).on('close', gone)
    this.#began.push(
      new Promise(resolve => {
        socket.once(secure ? 'secureConnect' : 'connect', () => {
          this.#begin(socket, beginning)
          resolve()
        })
      }),
    )
  }

  /** They are all connected and have begun. */
  async allOpen(): Promise<void> {
    await Promise.all(this.#began)
  }

  /** The server has closed them all, or said that it will; rejects after so long with those that are left. */
  async allClosed(timeoutMs: number): Promise<void> {
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.#onLess()
    }, timeoutMs)
    while (this.#left.size > 0 && !late) {
      await new Promise<void>(resolve => {
        this.#onLess = resolve
      })
    }
    clearTimeout(timer)
    if (this.#left.size === 0) return
    throw new Error(`after ${timeoutMs} ms there are still: ${[...new Set(this.#left.values())].join(', ')}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    for (const socket of this.#left.keys()) socket.destroy()
  }

  #begin(socket: Socket, { raw, text, after, dribble }: Beginning): void {
    if (raw !== undefined) socket.write(raw)
    if (text !== undefined) socket.write(text)
    socket.on('data', (data: Buffer) => {
      const upgraded = data.toString('latin1').startsWith('HTTP/1.1 101')
      if (upgraded && after !== undefined) void writePieces(socket, [after].flat())
      if (!upgraded || data.includes(CLOSE_FRAME)) this.#gone(socket)
    })
    if (dribble === undefined) return
    this.#timers.add(setInterval(() => socket.writable && socket.write(dribble), DRIBBLE_MS))
  }

  #gone(socket: Socket): void {
    if (!this.#left.delete(socket)) return
    this.#onLess()
  }
}

async function writePieces(socket: Socket, pieces: readonly Uint8Array[]): Promise<void> {
  for (const piece of pieces) {
    if (!socket.writable) return
    await new Promise(resolve => socket.write(piece, resolve))
  }
}
