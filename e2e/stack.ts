import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type RunResult, run } from './terminal.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
export const binDirectory = join(root, 'dist/bin')
const sallyport = join(binDirectory, 'sallyport')
const READY_TIMEOUT = 20_000

export type StackOptions = {
  /** Added to `sallyport server`. */
  serverArguments?: string[]
  /** How many nodes to register and start; 1 unless given. */
  nodes?: number
}

/**
 * The whole product as a person runs it: the server and its agents as processes of their own, on ports that the
 * kernel chose, with everything they write in one scratch directory. `await using` ends and removes it all.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-e2e-'))
  const stack = new Stack(directory, options.serverArguments ?? [])
  try {
    await stack.startServer()
    for (let i = 0; i < (options.nodes ?? 1); i++) await stack.addNode()
    return stack
  } catch (error) {
    await stack[Symbol.asyncDispose]()
    throw error
  }
}

export type Node = { id: string; stateDirectory: string; process: Service }

export class Stack {
  readonly directory: string
  readonly nodes: Node[] = []
  readonly #serverArguments: string[]
  #server: Service | undefined
  #ports = { https: 0, http: 0 }
  #administrator: { AWS_ACCESS_KEY_ID?: string; AWS_SECRET_ACCESS_KEY?: string } = {}
  #caHash = ''

  constructor(directory: string, serverArguments: string[]) {
    this.directory = directory
    this.#serverArguments = serverArguments
  }

  get endpoint(): string {
    return `https://localhost:${this.#ports.https}`
  }

  get httpEndpoint(): string {
    return `http://127.0.0.1:${this.#ports.http}`
  }

  get httpsPort(): number {
    return this.#ports.https
  }

  get dataDirectory(): string {
    return join(this.directory, 'server')
  }

  get caFile(): string {
    return join(this.dataDirectory, 'tls/ca.pem')
  }

  /** Of the CA, as an activation's join command carries it. */
  get caHash(): string {
    return this.#caHash
  }

  get server(): Service {
    if (this.#server === undefined) throw new Error('the server is not running')
    return this.#server
  }

  /** The first node. */
  get node(): Node {
    const [node] = this.nodes
    if (node === undefined) throw new Error('the stack has no node')
    return node
  }

  /** What a person would export to use the server: the first administrator's key, the endpoint, the CA, our programs. */
  get env(): Record<string, string | undefined> {
    return {
      ...this.#administrator,
      AWS_SESSION_TOKEN: undefined,
      AWS_PROFILE: undefined,
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_REGION: 'us-east-1',
      AWS_PAGER: '',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CA_BUNDLE: this.caFile,
      SALLYPORT_ENDPOINT_URL: this.endpoint,
      PATH: `${binDirectory}:${process.env.PATH}`,
    }
  }

  /** Starts the server, or starts it again: on the same ports and data, as after a crash. */
  async startServer(): Promise<void> {
    const { https, http } = this.#ports
    const listen = ['--listen', `127.0.0.1:${https}`, '--http-listen', `127.0.0.1:${http}`]
    const args = ['server', '--data-dir', this.dataDirectory, ...listen, ...this.#serverArguments]
    const server = new Service(sallyport, args, this.env)
    this.#server = server
    const banner = await server.waitForLine(/^Ready\.$/)
    const find = (pattern: RegExp) => pattern.exec(banner)?.[1]
    this.#ports = {
      https: Number(find(/HTTPS +https:\/\/\S+:(\d+)/)),
      http: Number(find(/HTTP +http:\/\/\S+:(\d+)/)),
    }
    this.#caHash = find(/CA hash +(\S+)/) ?? ''
    const key = find(/AWS_ACCESS_KEY_ID=(\S+)/)
    const secret = find(/AWS_SECRET_ACCESS_KEY=(\S+)/)
    if (key !== undefined && secret !== undefined) {
      this.#administrator = { AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret }
    }
  }

  /** `aws ssm create-activation`, registers a node with it, and waits until its agent is online. */
  async addNode(name = `node-${this.nodes.length + 1}`): Promise<Node> {
    const stateDirectory = join(this.directory, name)
    await this.registerNode(stateDirectory, name)
    const agent = this.startAgent(stateDirectory)
    const online = await agent.waitForLine(/"message":"online"/)
    const id = /"instanceId":"(mi-[0-9a-f]{17})"/.exec(online)?.[1]
    if (id === undefined) throw new Error(`the agent did not say who it is: ${online}`)
    const node = { id, stateDirectory, process: agent }
    this.nodes.push(node)
    return node
  }

  async registerNode(stateDirectory: string, name: string): Promise<void> {
    const activation = await this.api(
      'create-activation',
      '--iam-role',
      'SSMServiceRole',
      '--default-instance-name',
      name,
    )
    const args = [
      'agent',
      'register',
      '--state-dir',
      stateDirectory,
      '--endpoint',
      this.endpoint,
      '--ca-hash',
      this.#caHash,
    ]
    const secrets = [
      '--activation-id',
      activation.ActivationId,
      '--activation-code',
      activation.ActivationCode,
    ]
    const registered = await run(sallyport, [...args, ...secrets], { env: this.env })
    if (registered.code !== 0) throw new Error(`registration failed: ${registered.stderr}`)
  }

  startAgent(stateDirectory: string): Service {
    return new Service(sallyport, ['agent', 'run', '--state-dir', stateDirectory], this.env)
  }

  /** Runs the real `aws ssm <operation> …` and parses what it prints; throws with its message if it fails. */
  // biome-ignore lint/suspicious/noExplicitAny: JSON of whatever operation was called
  async api(operation: string, ...args: string[]): Promise<any> {
    const result = await this.aws('ssm', operation, ...args)
    if (result.code !== 0) throw new Error(`aws ssm ${operation}: ${result.stderr}`)
    return result.stdout.trim() === '' ? {} : JSON.parse(result.stdout)
  }

  async aws(...args: string[]): Promise<RunResult> {
    const aws = process.env.SALLYPORT_TEST_AWS2 ?? '/usr/bin/aws'
    return await run(aws, [...args, '--endpoint-url', this.endpoint, '--output', 'json'], { env: this.env })
  }

  async sallyport(...args: string[]): Promise<RunResult> {
    return await run(sallyport, args, { env: this.env })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { process: agent } of this.nodes) await agent.stop()
    await this.#server?.stop()
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** A process that runs until it is told to stop; what it prints is kept for failed expectations. */
export class Service {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #waiting = new Set<() => void>()
  #output = ''

  constructor(file: string, args: string[], env: Record<string, string | undefined>) {
    this.#child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#exited = once(this.#child, 'exit')
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream === null) continue
      createInterface(stream).on('line', line => {
        this.#output += `${line}\n`
        for (const check of [...this.#waiting]) check()
      })
    }
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the process did not start')
    return this.#child.pid
  }

  /** Everything printed so far, both streams. */
  get output(): string {
    return this.#output
  }

  /** Waits for a line, from the first on; answers all output up to then. */
  waitForLine(pattern: RegExp, timeout = READY_TIMEOUT): Promise<string> {
    return new Promise((resolve, reject) => {
      const lines = new RegExp(pattern.source, `${pattern.flags.replace('m', '')}m`)
      const finish = (error?: Error) => {
        clearTimeout(timer)
        this.#waiting.delete(check)
        if (error === undefined) resolve(this.#output)
        else reject(error)
      }
      const check = () => {
        if (lines.test(this.#output)) finish()
      }
      const timer = setTimeout(() => finish(new Error(`no line ${pattern} in:\n${this.#output}`)), timeout)
      this.#waiting.add(check)
      void this.#exited.then(() => finish(new Error(`the process ended before ${pattern}:\n${this.#output}`)))
      check()
    })
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal)
    await this.#exited
  }

  async stop(): Promise<void> {
    await this.kill('SIGTERM')
  }
}
