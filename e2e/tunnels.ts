import { once } from 'node:events'
import http from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** A proxy (RFC 9110 9.3.6) whose tunnels all lead to one local port, whatever name they are asked for. */
export class Tunnels implements AsyncDisposable {
  readonly #server = http.createServer()
  readonly #ends = new Set<Duplex>()

  static async to(port: number): Promise<Tunnels> {
    const tunnels = new Tunnels(port)
    tunnels.#server.listen(0, '127.0.0.1')
    await once(tunnels.#server, 'listening')
    return tunnels
  }

  private constructor(port: number) {
    this.#server.on('connect', (_request: http.IncomingMessage, near: Duplex) => {
      const far = connect(port, '127.0.0.1', () => {
        near.write('HTTP/1.1 200 OK\r\n\r\n')
        near.pipe(far).pipe(near)
      })
      this.#keep(near, far)
      this.#keep(far, near)
    })
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const end of this.#ends) end.destroy()
    await closed
  }

  #keep(end: Duplex | Socket, other: Duplex | Socket): void {
    this.#ends.add(end)
    end.on('error', () => other.destroy())
    end.on('close', () => {
      this.#ends.delete(end)
      other.destroy()
    })
  }
}
