import { expect } from 'vitest'
import { call } from './hostile-peer.ts'
import { type ScriptedAgentSession, ScriptedStockAgent } from './scripted-stock-agent.ts'
import { ScriptedStockPlugin, type StartedSession } from './scripted-stock-plugin.ts'
import { type Stack, type StackOptions, startStack } from './stack.ts'

export type Ends = { worker: ScriptedAgentSession; plugin: ScriptedStockPlugin; sessionId: string }
export type Parameters = Record<string, string[]>

/** A server with one node whose agent is scripted. */
export class ScriptedScene implements AsyncDisposable {
  readonly stack: Stack
  readonly agent: ScriptedStockAgent

  static async open(options: StackOptions = {}): Promise<ScriptedScene> {
    const stack = await startStack({ nodes: 0, ...options })
    return new ScriptedScene(stack, await ScriptedStockAgent.online(stack))
  }

  private constructor(stack: Stack, agent: ScriptedStockAgent) {
    this.stack = stack
    this.agent = agent
  }

  async startSession(
    document?: string,
    parameters?: Parameters,
    target = this.agent.nodeId,
  ): Promise<StartedSession> {
    const asked = document === undefined ? {} : { DocumentName: document, Parameters: parameters }
    const answer = await call(this.stack, 'StartSession', { Target: target, ...asked })
    expect(answer.status, answer.body).toBe(200)
    return JSON.parse(answer.body)
  }

  async terminate(SessionId: string): Promise<void> {
    await call(this.stack, 'TerminateSession', { SessionId })
  }

  async statusOf(sessionId: string): Promise<string | undefined> {
    const Filters = [{ key: 'SessionId', value: sessionId }]
    const answer = await call(this.stack, 'DescribeSessions', { State: 'History', Filters })
    return JSON.parse(answer.body).Sessions[0]?.Status
  }

  /** Both ends of a session, as far as any document's goes. */
  async pair(document?: string, parameters?: Parameters): Promise<Ends> {
    const session = await this.startSession(document, parameters)
    const worker = await this.agent.serve()
    const plugin = await ScriptedStockPlugin.open(this.stack, session)
    return { worker, plugin, sessionId: session.SessionId }
  }

  /** A shell at its prompt. */
  async shell(): Promise<Ends> {
    const ends = await this.pair()
    const { worker, plugin } = ends
    worker.stream.send(1, '$ ')
    await plugin.stream.until(({ text }) => text === '$ ')
    plugin.size()
    await worker.stream.until(({ delivered }) => delivered.length === 1)
    return ends
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent[Symbol.asyncDispose]()
    await this.stack[Symbol.asyncDispose]()
  }
}
