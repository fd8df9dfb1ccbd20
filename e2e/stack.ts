import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type ApiClient, createClient } from '@sallyport/cli/client'
import { type Environment, type RunResult, run } from './terminal.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
export const binDirectory = join(root, 'dist/bin')
const sallyport = join(binDirectory, 'sallyport')
const READY_TIMEOUT = 20_000

export type StackOptions = {
  /** Added to `sallyport server`. */
  serverArguments?: string[]
  serverEnv?: Environment
  /** How many nodes to register and start; 1 unless given. */
  nodes?: number
}

/**
 * The whole product as a person runs it: the server and its agents as processes of their own, on ports that the
 * kernel chose, with everything they write in one scratch directory. `await using` ends and removes it all.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-e2e-'))
  const stack = new Stack(directory, options)
  try {
    await stack.startServer()
    for (let i = 0; i < (options.nodes ?? 1); i++) await stack.addNode()
    return stack
  } catch (error) {
    await stack[Symbol.asyncDispose]()
    throw error
  }
}

export type AgentOptions = {
  /** Where the agent finds the server, if that is not the stack's endpoint; for `addNode` and `registerNode`. */
  endpoint?: string
  /** What the agent is started by, for example `setpriv` and its arguments. */
  through?: readonly string[]
  env?: Record<string, string | undefined>
  /** Added to `sallyport agent register`. */
  registerArguments?: readonly string[]
}

export type Node = { id: string; stateDirectory: string; process: Service }

export class Stack {
  readonly directory: string
  readonly nodes: Node[] = []
  readonly #options: StackOptions
  #server: Service | undefined
  #ports = { https: 0, http: 0 }
  #administrator: { AWS_ACCESS_KEY_ID?: string; AWS_SECRET_ACCESS_KEY?: string } = {}
  #caHash = ''
  #client: ApiClient | undefined

  constructor(directory: string, options: StackOptions = {}) {
    this.directory = directory
    this.#options = options
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
    const args = ['server', '--data-dir', this.dataDirectory, ...listen]
    const { serverArguments = [], serverEnv = {} } = this.#options
    const server = new Service(sallyport, [...args, ...serverArguments], { ...this.env, ...serverEnv })
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
  async addNode(name = `node-${this.nodes.length + 1}`, options: AgentOptions = {}): Promise<Node> {
    const stateDirectory = join(this.directory, name)
    await this.registerNode(stateDirectory, name, options)
    return await this.startNode(stateDirectory, options)
  }

  /** Starts the agent of a registered node and waits until it is online. */
  async startNode(stateDirectory: string, options: AgentOptions = {}): Promise<Node> {
    const agent = this.startAgent(stateDirectory, options)
    const online = await agent.waitForLine(/"message":"online"/)
    const id = /"instanceId":"(m?i-[0-9a-f]{17})"/.exec(online)?.[1]
    if (id === undefined) throw new Error(`the agent did not say who it is: ${online}`)
    const node = { id, stateDirectory, process: agent }
    this.nodes.push(node)
    return node
  }

  async registerNode(stateDirectory: string, name: string, options: AgentOptions = {}): Promise<void> {
    const { endpoint = this.endpoint, through = [], env = {}, registerArguments = [] } = options
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
      endpoint,
      '--ca-hash',
      this.#caHash,
      ...registerArguments,
    ]
    const secrets = [
      '--activation-id',
      activation.ActivationId,
      '--activation-code',
      activation.ActivationCode,
    ]
    const [file = sallyport, ...rest] = [...through, sallyport, ...args, ...secrets]
    const registered = await run(file, rest, { env: { ...this.env, ...env } })
    if (registered.code !== 0) throw new Error(`registration failed: ${registered.stderr}`)
  }

  startAgent(stateDirectory: string, { through = [], env = {} }: AgentOptions = {}): Service {
    const [file = sallyport, ...args] = [...through, sallyport, 'agent', 'run', '--state-dir', stateDirectory]
    return new Service(file, args, { ...this.env, ...env })
  }

  /** Runs the real `aws ssm <operation> …` and parses what it prints; throws with its message if it fails. */
  // biome-ignore lint/suspicious/noExplicitAny: JSON of whatever operation was called
  api(operation: string, ...args: string[]): Promise<any> {
    return this.answer('ssm', operation, ...args)
  }

  /** `api` for any service. */
  // biome-ignore lint/suspicious/noExplicitAny: JSON of whatever operation was called
  async answer(service: string, operation: string, ...args: string[]): Promise<any> {
    const { code, stdout, stderr } = await this.aws(service, operation, ...args)
    if (code !== 0) throw new Error(`aws ${service} ${operation}: ${stderr}`)
    return stdout.trim() === '' ? {} : JSON.parse(stdout)
  }

  /** An operation of ssm without the aws command, whose start takes longer than all the rest: for who asks again and again. */
  // biome-ignore lint/suspicious/noExplicitAny: JSON of whatever operation was called
  async ask(operation: string, input: Record<string, unknown>): Promise<any> {
    const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = this.env
    this.#client ??= createClient({
      endpoint: new URL(this.endpoint),
      region: 'us-east-1',
      credentials: async () => ({ accessKeyId, secretAccessKey }),
      ca: readFileSync(this.caFile, 'utf8'),
      env: {},
    })
    return await this.#client.call('ssm', operation, input)
  }

  async aws(...args: string[]): Promise<RunResult> {
    const aws = process.env.SALLYPORT_TEST_AWS2 ?? '/usr/bin/aws'
    return await run(aws, [...args, '--endpoint-url', this.endpoint, '--output', 'json'], { env: this.env })
  }

  async sallyport(...args: string[]): Promise<RunResult> {
    return await run(sallyport, args, { env: this.env })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { process: agent, stateDirectory } of this.nodes) {
      await agent.stop()
      await removeSsmUser(stateDirectory)
    }
    await this.#server?.stop()
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** An agent that is root creates `ssm-user` for its first session; the machine gets back what it had. */
async function removeSsmUser(stateDirectory: string): Promise<void> {
  if (!existsSync(join(stateDirectory, 'created-ssm-user'))) return
  await run('userdel', ['-r', 'ssm-user'])
  await rm('/etc/sudoers.d/ssm-agent-users', { force: true })
}

/** A process that runs until it is told to stop; what it prints is kept for failed expectations. */
export class Service {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #waiting = new Set<() => void>()
  #output = ''

  constructor(file: string, args: string[], env: Record<string, string | undefined>) {
    this.#child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    // A file that is not there has an 'error' only.
    this.#exited = once(this.#child, 'exit').catch((error: Error) => {
      this.#output += `${error.message}\n`
    })
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

  /** Of one that has ended by itself. */
  get exitCode(): number | null {
    return this.#child.exitCode
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

  /** Of a process that ends by itself; null if a signal ended it. */
  get exitStatus(): Promise<number | null> {
    return this.#exited.then(() => this.#child.exitCode)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal)
    await this.#exited
  }

  async stop(): Promise<void> {
    await this.kill('SIGTERM')
  }
}
