import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import * as tls from 'node:tls'
import type { Stack } from './stack.ts'
import { WireReader, type WireUnit } from './wire-reader.ts'

/** One request, response or websocket frame as it was on the wire, under the TLS. */
export type WireRecord = WireUnit & { from: 'peer' | 'server'; connection: number; at: number }

/**
 * A listener that shows the server's own certificate, passes every byte on to the server and back as it is, and notes
 * what it saw. So what a program sends can be compared with what it was seen to send before.
 */
export class WireTap implements AsyncDisposable {
  readonly records: WireRecord[] = []
  readonly #listener: tls.Server
  readonly #sockets = new Set<tls.TLSSocket>()
  readonly #waiting = new Set<() => void>()
  #connections = 0

  static async before(stack: Stack): Promise<WireTap> {
    const read = (name: string) => readFile(join(stack.dataDirectory, 'tls', name))
    const [cert, key, ca] = await Promise.all([read('server.pem'), read('server-key.pem'), read('ca.pem')])
    const tap = new WireTap({ cert, key }, { port: stack.httpsPort, host: '127.0.0.1', ca })
    tap.#listener.listen(0, '127.0.0.1')
    await once(tap.#listener, 'listening')
    return tap
  }

  private constructor(identity: tls.TlsOptions, server: tls.ConnectionOptions) {
    this.#listener = tls.createServer(identity, peer => {
      const onward = tls.connect({ ...server, servername: 'localhost' })
      const connection = ++this.#connections
      this.#carry('peer', connection, peer, onward)
      this.#carry('server', connection, onward, peer)
    })
    this.#listener.on('tlsClientError', () => undefined)
  }

  get endpoint(): string {
    return `https://localhost:${(this.#listener.address() as AddressInfo).port}`
  }

  /** Breaks every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Waits until there is a record like this, at or behind `start`; answers its index. */
  async find(like: (record: WireRecord) => boolean, start = 0): Promise<number> {
    for (;;) {
      const index = this.records.findIndex((record, position) => position >= start && like(record))
      if (index >= 0) return index
      await new Promise<void>(resolve => {
        this.#waiting.add(resolve)
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    const closed = once(this.#listener, 'close')
    this.#listener.close()
    await closed
  }

  #carry(from: 'peer' | 'server', connection: number, source: tls.TLSSocket, target: tls.TLSSocket): void {
    this.#sockets.add(source)
    const reader = new WireReader()
    source.on('data', data => {
      target.write(data)
      for (const unit of reader.read(data)) this.records.push({ ...unit, from, connection, at: Date.now() })
      const waiting = [...this.#waiting]
      this.#waiting.clear()
      for (const check of waiting) check()
    })
    source.on('error', () => source.destroy())
    source.on('end', () => target.end())
    source.on('close', () => {
      this.#sockets.delete(source)
      target.destroy()
    })
  }
}
