import { expect } from 'vitest'
import { ChaosProxy } from './chaos-proxy.ts'
import { logLines } from './hostile-peer.ts'
import { aws2, RemoteShell } from './remote-shell.ts'
import { type Stack, startStack } from './stack.ts'
import { StockAgent } from './stock-agent.ts'
import { type Environment, openTerminal, type RunResult, run, type TestTerminal } from './terminal.ts'

/** Where the unmodified programs are; the tests that run them are skipped unless both are given (CONTRIBUTING.md). */
export const stockPlugin = process.env.SALLYPORT_TEST_STOCK_PLUGIN
export const stockAgent = process.env.SALLYPORT_TEST_STOCK_AGENT

export type Maker = 'stock' | 'ours'
export type Pairing = { plugin: Maker; agent: Maker }
export const pairings: Pairing[] = [
  { plugin: 'stock', agent: 'stock' },
  { plugin: 'ours', agent: 'stock' },
  { plugin: 'stock', agent: 'ours' },
  { plugin: 'ours', agent: 'ours' },
]

const STOCK_PLUGIN_NAME = 'session-manager-plugin'

/** A server with one node of each kind. Everybody comes through proxies that can break connections. */
export class StockScene implements AsyncDisposable {
  readonly stack: Stack
  readonly toAgents: ChaosProxy
  readonly toClient: ChaosProxy
  readonly nodes: Record<Maker, string>
  readonly agent: StockAgent
  #documents = false

  static async open(programs: string): Promise<StockScene> {
    const stack = await startStack({ nodes: 0 })
    const toAgents = await ChaosProxy.to(stack.httpsPort)
    const { endpoint } = toAgents
    const ours = await stack.addNode('ours', { endpoint })
    const agent = await StockAgent.start(stack, programs, 'stock', { endpoint })
    const toClient = await ChaosProxy.to(stack.httpsPort)
    return new StockScene({ stack, toAgents, toClient, agent, nodes: { ours: ours.id, stock: agent.nodeId } })
  }

  private constructor(parts: Pick<StockScene, 'stack' | 'toAgents' | 'toClient' | 'agent' | 'nodes'>) {
    this.stack = parts.stack
    this.toAgents = parts.toAgents
    this.toClient = parts.toClient
    this.agent = parts.agent
    this.nodes = parts.nodes
  }

  env(plugin: Maker): Environment {
    const { stack } = this
    const stock = (stockPlugin ?? '').replace(new RegExp(`/${STOCK_PLUGIN_NAME}$`), '')
    const path = plugin === 'stock' ? `${stock}:${process.env.PATH}` : stack.env.PATH
    return { ...stack.env, PATH: path, SSL_CERT_FILE: stack.caFile }
  }

  /** `aws ssm start-session` with this plugin to this agent, as words of a command line. */
  command({ agent }: Pairing, document?: string, parameters: Record<string, string[]> = {}): string[] {
    const call = [
      'ssm',
      'start-session',
      '--target',
      this.nodes[agent],
      '--endpoint-url',
      this.toClient.endpoint,
    ]
    if (document !== undefined)
      call.push('--document-name', document, '--parameters', JSON.stringify(parameters))
    return [aws2, ...call]
  }

  /** A person at a terminal, with a session of whatever document. */
  open(pairing: Pairing, document?: string, parameters?: Record<string, string[]>): RemoteShell {
    return new RemoteShell(this.stack, this.command(pairing, document, parameters), {
      env: this.env(pairing.plugin),
    })
  }

  async shell(pairing: Pairing): Promise<RemoteShell> {
    const shell = this.open(pairing)
    await shell.ready()
    return shell
  }

  /** Opens a local port that leads where the parameters say, and waits until it may be used. */
  async forward(pairing: Pairing, document: string, parameters: Record<string, string[]>): Promise<Forward> {
    const command = this.command(pairing, document, { localPortNumber: ['0'], ...parameters })
    const [file = '', ...args] = command
    const terminal = openTerminal({ file, args, env: this.env(pairing.plugin) })
    const opened = await terminal.waitFor(/Port (\d+) opened for sessionId (\S+)\./)
    await terminal.waitFor('Waiting for connections...')
    return new Forward(terminal, Number(opened[1]), opened[2] ?? '')
  }

  /** Without a terminal, to the end. */
  async run(pairing: Pairing, document: string, parameters: Record<string, string[]>): Promise<RunResult> {
    const [file = '', ...args] = this.command(pairing, document, parameters)
    return await run(file, args, { env: this.env(pairing.plugin) })
  }

  async session(state: 'Active' | 'History', sessionId: string) {
    const filter = `key=SessionId,value=${sessionId}`
    const { Sessions } = await this.stack.api('describe-sessions', '--state', state, '--filters', filter)
    return Sessions[0]
  }

  /** This end of the session has come to the server so many times. */
  async came(role: 'agent' | 'client', sessionId: string, times: number): Promise<void> {
    const lines = () => logLines(this.stack, sessionId, `"role":"${role}"`, 'data channel open').length
    await expect.poll(lines, { timeout: 10_000 }).toBeGreaterThanOrEqual(times)
  }

  /** The node's agent has found the server again. */
  async online(maker: Maker): Promise<void> {
    await this.stack.server.waitForLine(new RegExp(`"nodeId":"${this.nodes[maker]}".*"node online"`))
  }

  /** A session document with parameters, one of them with a pattern and one with a default; made once. */
  async ownDocument(): Promise<void> {
    if (this.#documents) return
    this.#documents = true
    const content = {
      schemaVersion: '1.0',
      sessionType: 'InteractiveCommands',
      description: 'Greets',
      parameters: {
        name: { type: 'String', allowedPattern: '^[A-Za-z]+$' },
        other: { type: 'String', default: 'Moon', allowedValues: ['Moon', 'Mars'] },
      },
      properties: {
        linux: { commands: 'echo "Hello, {{ name }} and {{other}}!"', runAsElevated: true },
      },
    }
    const details = ['--name', 'Greet', '--document-type', 'Session', '--document-format', 'JSON']
    await this.stack.api('create-document', ...details, '--content', JSON.stringify(content))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent[Symbol.asyncDispose]()
    await this.toAgents[Symbol.asyncDispose]()
    await this.toClient[Symbol.asyncDispose]()
    await this.stack[Symbol.asyncDispose]()
  }
}

export class Forward implements AsyncDisposable {
  readonly terminal: TestTerminal
  readonly port: number
  readonly sessionId: string

  constructor(terminal: TestTerminal, port: number, sessionId: string) {
    this.terminal = terminal
    this.port = port
    this.sessionId = sessionId
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminal[Symbol.asyncDispose]()
  }
}
