/** A person who has a shell and a forward open on a node, for tests of what becomes of them. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { expect } from 'vitest'
import { openConnect, type RemoteShell } from './remote-shell.ts'
import { binDirectory, Service, type Stack } from './stack.ts'
import { dial, serveTcp, type TestServer } from './tcp-servers.ts'
import type { Environment } from './terminal.ts'

/** What a session may take to end after it was taken away. */
const LIMIT = 5_000
export const REVOKED =
  'This session is no longer allowed: your rights, its document or its node have changed.'

export class AtWork implements AsyncDisposable {
  readonly shell: RemoteShell
  readonly #forward: Service
  readonly #echo: TestServer
  readonly #socket: Socket
  readonly #processes: () => number[]

  static async open(stack: Stack, env: Environment, node = stack.node.id): Promise<AtWork> {
    const echo = await serveTcp(socket => socket.pipe(socket))
    const shell = openConnect(stack, [node], { env })
    const call = ['forward', node, `:${echo.port}`]
    const forward = new Service(`${binDirectory}/sallyport`, call, { ...stack.env, ...env })
    try {
      await shell.ready()
      const output = await forward.waitForLine(/^Forwarding 127\.0\.0\.1:\d+/)
      const port = Number(/^Forwarding 127\.0\.0\.1:(\d+)/m.exec(output)?.[1])
      const socket = await dial({ host: '127.0.0.1', port })
      const person = new AtWork(shell, forward, echo, socket, await shell.processes())
      await person.expectAtWork()
      return person
    } catch (error) {
      await forward.stop()
      await shell[Symbol.asyncDispose]()
      await echo[Symbol.asyncDispose]()
      throw error
    }
  }

  private constructor(
    shell: RemoteShell,
    forward: Service,
    echo: TestServer,
    socket: Socket,
    processes: () => number[],
  ) {
    this.#processes = processes
    this.shell = shell
    this.#forward = forward
    this.#echo = echo
    this.#socket = socket
    socket.on('error', () => {})
  }

  /** Both go on: what is typed is run, what is sent comes back. */
  async expectAtWork(): Promise<void> {
    expect(await this.shell.run('echo $((6 * 7))')).toBe('42')
    this.#socket.write('still here')
    const [answer] = await once(this.#socket, 'data')
    expect(String(answer)).toBe('still here')
  }

  /** Both end in time, each with the reason. */
  async expectRevoked(): Promise<void> {
    await Promise.all([
      this.shell.terminal.waitFor(REVOKED, { timeoutMs: LIMIT }),
      this.#forward.waitForLine(new RegExp(REVOKED.replaceAll('.', '\\.')), LIMIT),
    ])
    const [{ status, restored }, exitStatus] = await Promise.all([
      this.shell.ended(),
      this.#forward.exitStatus,
    ])
    expect({ status, restored, exitStatus }).toEqual({ status: 1, restored: true, exitStatus: 1 })
    if (!this.#socket.closed) await once(this.#socket, 'close')
    // Nothing goes on at the node.
    await expect.poll(this.#processes).toEqual([])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy()
    await this.#forward.stop()
    await this.shell[Symbol.asyncDispose]()
    await this.#echo[Symbol.asyncDispose]()
  }
}
