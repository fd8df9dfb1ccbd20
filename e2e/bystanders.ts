import { once } from 'node:events'
import type { Socket } from 'node:net'
import { expect } from 'vitest'
import { expectQuick } from './hostile-peer.ts'
import { connect, type RemoteShell } from './remote-shell.ts'
import { binDirectory, Service, type Stack } from './stack.ts'
import { dial, serveTcp } from './tcp-servers.ts'

/** People who work on the first node meanwhile: one in a shell, one through a forward. */
export class Bystanders implements AsyncDisposable {
  readonly #undo: Array<() => unknown> = []
  #shell: RemoteShell | undefined
  #socket: Socket | undefined
  #port = 0

  static async at(stack: Stack): Promise<Bystanders> {
    const bystanders = new Bystanders()
    try {
      await bystanders.#begin(stack)
      return bystanders
    } catch (error) {
      await bystanders[Symbol.asyncDispose]()
      throw error
    }
  }

  /** The shell, the connection that was open all the time, and a new one. */
  async expectUndisturbed(): Promise<void> {
    if (this.#shell === undefined || this.#socket === undefined) throw new Error('they have not begun')
    await expectQuick(this.#shell)
    const another = await dial({ host: '127.0.0.1', port: this.#port })
    for (const socket of [this.#socket, another]) {
      socket.write('still here')
      const [answer] = await once(socket, 'data')
      expect(String(answer)).toBe('still here')
    }
    another.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const undo of this.#undo.reverse()) await undo()
  }

  async #begin(stack: Stack): Promise<void> {
    const shell = await connect(stack)
    this.#undo.push(() => shell[Symbol.asyncDispose]())
    const echo = await serveTcp(socket => socket.pipe(socket))
    this.#undo.push(() => echo[Symbol.asyncDispose]())
    const service = new Service(
      `${binDirectory}/sallyport`,
      ['forward', stack.node.id, `:${echo.port}`],
      stack.env,
    )
    this.#undo.push(() => service.stop())
    const output = await service.waitForLine(/^Forwarding 127\.0\.0\.1:\d+/)
    this.#port = Number(/^Forwarding 127\.0\.0\.1:(\d+)/m.exec(output)?.[1])
    const socket = await dial({ host: '127.0.0.1', port: this.#port })
    this.#undo.push(() => socket.destroy())
    this.#shell = shell
    this.#socket = socket
  }
}
