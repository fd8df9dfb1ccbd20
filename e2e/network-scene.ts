import { NetworkNamespace } from './network-namespace.ts'
import { aws2 } from './remote-shell.ts'
import { binDirectory, type Node, type Stack, startStack } from './stack.ts'
import { openTerminal, type RunOptions, type RunResult, run, type TestTerminal } from './terminal.ts'

/**
 * A person's laptop and a node in a private network: machines of their own, on which every port is free. Neither lets
 * anything in, and the laptop reaches nothing but the server. Needs root, for the network namespaces.
 */
export class NetworkScene implements AsyncDisposable {
  readonly laptop: NetworkNamespace
  /** The node's. */
  readonly network: NetworkNamespace
  readonly stack: Stack
  readonly node: Node
  readonly #terminals = new Set<TestTerminal>()

  /** `prepare` does what has to be done in the node's network before the node starts. */
  static async create(
    prepare: (network: NetworkNamespace, stack: Stack) => Promise<void>,
  ): Promise<NetworkScene> {
    const made: AsyncDisposable[] = []
    const keep = <T extends AsyncDisposable>(thing: T): T => {
      made.unshift(thing)
      return thing
    }
    try {
      const laptop = keep(await NetworkNamespace.create())
      const network = keep(await NetworkNamespace.create())
      const names = ['--host-name', laptop.outside, '--host-name', network.outside]
      const stack = keep(await startStack({ nodes: 0, serverArguments: ['--listen', '0.0.0.0:0', ...names] }))
      for (const namespace of [laptop, network]) await namespace.dropInbound()
      await laptop.allowOutboundOnlyTo(stack.httpsPort)
      await laptop.knowHosts({})
      await prepare(network, stack)
      const endpoint = `https://${network.outside}:${stack.httpsPort}`
      const node = await stack.addNode('private', { endpoint, through: network.through })
      return new NetworkScene(laptop, network, stack, node)
    } catch (error) {
      for (const thing of made) await thing[Symbol.asyncDispose]()
      throw error
    }
  }

  private constructor(laptop: NetworkNamespace, network: NetworkNamespace, stack: Stack, node: Node) {
    this.laptop = laptop
    this.network = network
    this.stack = stack
    this.node = node
  }

  /** The server's, for the laptop. */
  get endpoint(): string {
    return `https://${this.laptop.outside}:${this.stack.httpsPort}`
  }

  /** Runs a program on the laptop to its end; throws with what it says if it fails. */
  async run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const [file = '', ...args] = [...this.laptop.through, ...command]
    const result = await run(file, args, { timeoutMs: 50_000, ...options, env: this.#env(options.env) })
    if (result.code === 0) return result
    throw new Error(`${command.join(' ')}: ${result.stderr}${result.stdout}`)
  }

  /**
   * Types a guide's `aws ssm start-session …` into a terminal of the laptop, and waits until it is ready for
   * connections. The endpoint is added, as an alias would.
   */
  async aws(command: string): Promise<void> {
    const alias = `aws() { '${aws2}' "$@" --endpoint-url '${this.endpoint}'; }`
    const terminal = this.start(['/bin/sh', '-c', `${alias}\n${command}`])
    await terminal.waitFor('Waiting for connections...')
  }

  /** `sallyport forward <the node> <spec>` in a terminal of the laptop, and the port there. */
  async sallyportForward(spec: string): Promise<number> {
    const terminal = this.start([`${binDirectory}/sallyport`, 'forward', this.node.id, spec])
    const [, port] = await terminal.waitFor(/Forwarding 127\.0\.0\.1:(\d+) /)
    return Number(port)
  }

  /** Ctrl-C in each terminal, the last one first. */
  async interruptAll(): Promise<void> {
    for (const terminal of [...this.#terminals].reverse()) {
      await terminal.send('\x03')
      await terminal.exited
      this.#terminals.delete(terminal)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const terminal of this.#terminals) await terminal[Symbol.asyncDispose]()
    await this.stack[Symbol.asyncDispose]()
    for (const namespace of [this.laptop, this.network]) await namespace[Symbol.asyncDispose]()
  }

  /** Starts a program in a terminal of the laptop; `interruptAll` ends it. */
  start(command: readonly string[]): TestTerminal {
    const [file = '', ...args] = [...this.laptop.through, ...command]
    const terminal = openTerminal({ file, args, env: this.#env() })
    this.#terminals.add(terminal)
    return terminal
  }

  #env(more: RunOptions['env'] = {}): Record<string, string | undefined> {
    return { ...this.stack.env, SALLYPORT_ENDPOINT_URL: this.endpoint, ...more }
  }
}
