import { EventEmitter } from 'node:events'
import type { Command, InvocationStatus, WatchedInvocation } from '@sallyport/protocol/api/ssm-commands'
import { type ApiClient, ApiError } from '../client.ts'
import type { RunOptions, RunParts } from '../commands/run.ts'
import { run } from '../commands/run.ts'
import type { CommandContext } from '../context.ts'

// For tests: a server that runs nothing, whose nodes do what the test says.

export const COMMAND_ID = '01234567-89ab-cdef-0123-456789abcdef'

const FINISHED = new Set(['Success', 'Failed', 'TimedOut', 'Cancelled'])

type Invocation = WatchedInvocation & { stdout: string; stderr: string }

export class FakeServer implements ApiClient {
  readonly calls: Array<[string, Record<string, unknown>]> = []
  /** What an operation answers, or the error that it throws, in place of what follows from the nodes. */
  readonly answers: Record<string, unknown> = {}
  /** Of one answer of GetCommandOutput. */
  pieceBytes = 1_000_000
  /** How many calls of an operation find no server. */
  readonly unreachable: Record<string, number> = {}
  readonly #invocations = new Map<string, Invocation>()
  readonly #changes = new EventEmitter()
  #revision = 0

  constructor(names: readonly string[]) {
    this.#changes.setMaxListeners(0)
    names.forEach((name, i) => void this.#set(nodeId(i), { InstanceName: name, Status: 'Pending' }))
  }

  /** Of the node at this place. */
  set(node: number, status: InvocationStatus, { code = -1, details = status as string } = {}): void {
    this.#set(nodeId(node), { Status: status, StatusDetails: details, ResponseCode: code })
  }

  print(node: number, text: string, stream: 'stdout' | 'stderr' = 'stdout'): void {
    const before = this.#invocations.get(nodeId(node))?.[stream] ?? ''
    this.#set(nodeId(node), { [stream]: before + text })
  }

  inputsOf(operation: string): Array<Record<string, unknown>> {
    return this.calls.filter(([name]) => name === operation).map(([, input]) => input)
  }

  /** Resolves when an operation has been called so many times. */
  async called(operation: string, times = 1): Promise<void> {
    while (this.inputsOf(operation).length < times) await this.#event('call')
  }

  async call(_: string, operation: string, input: Readonly<Record<string, unknown>>): Promise<unknown> {
    this.calls.push([operation, input])
    this.#changes.emit('call')
    const left = this.unreachable[operation] ?? 0
    if (left > 0) {
      this.unreachable[operation] = left - 1
      throw new ApiError('ConnectionFailed', 'Cannot reach it', 0)
    }
    const answer = this.answers[operation]
    if (answer instanceof Error) throw answer
    if (answer !== undefined) return answer
    switch (operation) {
      case 'SendCommand':
        return { Command: this.command }
      case 'WatchCommand':
        return await this.#watch(Number(input.AfterRevision), input.WaitSeconds !== 0)
      case 'GetCommandOutput':
        return await this.#output(input)
      case 'GetCommandInvocation': {
        const { stdout, stderr } = this.#invocation(input)
        return { StandardOutputContent: stdout, StandardErrorContent: stderr }
      }
      case 'ListCommands':
        return { Commands: [this.command] }
      case 'CancelCommand':
        for (const [id, { Status }] of this.#invocations) {
          if (!FINISHED.has(Status)) this.#set(id, { Status: 'Cancelled', StatusDetails: 'Cancelled' })
        }
        return {}
      default:
        throw new Error(`the test has no answer to ${operation}`)
    }
  }

  get command(): Command {
    const all = [...this.#invocations.values()]
    const ended = all.filter(({ Status }) => FINISHED.has(Status))
    const failed = ended.filter(({ Status }) => Status !== 'Success')
    const whole = failed.length > 0 ? 'Failed' : 'Success'
    const status = ended.length < all.length ? 'InProgress' : whole
    return {
      CommandId: COMMAND_ID,
      DocumentName: 'AWS-RunShellScript',
      DocumentVersion: '1',
      Comment: '',
      Parameters: { commands: ['uptime'] },
      Targets: [],
      RequestedDateTime: 1_000_000,
      Status: status,
      StatusDetails: status,
      MaxConcurrency: '50',
      MaxErrors: '0',
      TargetCount: all.length,
      CompletedCount: ended.length,
      ErrorCount: failed.length,
      DeliveryTimedOutCount: 0,
    } as unknown as Command
  }

  #set(id: string, changes: Partial<Invocation>): void {
    const empty = { InstanceId: id, ResponseCode: -1, stdout: '', stderr: '' }
    const before = this.#invocations.get(id) ?? { ...empty, InstanceName: '', Status: 'Pending' as const }
    const after = { StatusDetails: 'Pending', ...before, ...changes, Revision: ++this.#revision }
    this.#invocations.delete(id)
    this.#invocations.set(id, after)
    this.#changes.emit('change')
  }

  #invocation({ InstanceId }: Readonly<Record<string, unknown>>): Invocation {
    const found = this.#invocations.get(String(InstanceId))
    if (found === undefined) throw new ApiError('InvocationDoesNotExist', 'no such node', 400)
    return found
  }

  async #watch(after: number, wait: boolean): Promise<unknown> {
    if (wait && this.#revision <= after) await this.#event('change')
    const all = [...this.#invocations.values()]
    const counts = all.map(({ Status, StatusDetails }) => ({ Status, StatusDetails, Count: 1 }))
    const Invocations = all.filter(({ Revision }) => Revision > after)
    return { Command: this.command, Counts: counts, Invocations, Revision: this.#revision, More: false }
  }

  async #output(input: Readonly<Record<string, unknown>>): Promise<unknown> {
    const state = () => {
      const invocation = this.#invocation(input)
      const bytes = Buffer.from(invocation[input.Stream === 'stderr' ? 'stderr' : 'stdout'])
      return { bytes, ended: FINISHED.has(invocation.Status), status: invocation.Status }
    }
    const offset = Number(input.Offset)
    while (input.WaitSeconds !== undefined && state().bytes.length <= offset && !state().ended) {
      await this.#event('change')
    }
    const { bytes, ended, status } = state()
    const piece = bytes.subarray(offset, offset + this.pieceBytes)
    return {
      Content: piece.toString('base64'),
      NextOffset: offset + piece.length,
      Ended: ended && offset + piece.length >= bytes.length,
      Status: status,
    }
  }

  #event(name: string): Promise<unknown> {
    return new Promise(resolve => this.#changes.once(name, resolve))
  }
}

export const nodeId = (place: number): string => `mi-${place.toString(16).padStart(17, '0')}`

/** A stream that keeps what is written to it. */
export class KeptStream extends EventEmitter {
  text = ''
  readonly columns: number
  readonly isTTY: boolean

  constructor({ isTTY = false, columns = 80 } = {}) {
    super()
    this.isTTY = isTTY
    this.columns = columns
  }

  write(data: string | Uint8Array): boolean {
    this.text += typeof data === 'string' ? data : Buffer.from(data).toString('latin1')
    this.emit('written')
    return true
  }

  async has(text: string): Promise<void> {
    while (!this.text.includes(text)) await new Promise(resolve => this.once('written', resolve))
  }

  /** What a person sees in the end: of lines that change in place the last state. */
  get screen(): string {
    return this.text.replace(/[^\n]*\r(?:\x1b\[K)?/g, '').replaceAll('\x1b[K', '')
  }
}

class KeptInput extends EventEmitter {
  readonly isTTY: boolean
  raw = false

  constructor(isTTY: boolean) {
    super()
    this.isTTY = isTTY
  }

  setRawMode(raw: boolean): void {
    this.raw = raw
  }
  pause(): void {}
  resume(): void {}

  press(key: string): void {
    this.emit('data', Buffer.from(key))
  }
}

export const runScene = (names: readonly string[], { terminal = false } = {}) => {
  const server = new FakeServer(names)
  const stdout = new KeptStream({ isTTY: terminal })
  const stderr = terminal ? stdout : new KeptStream()
  const stdin = new KeptInput(terminal)
  const signals = new EventEmitter()
  const clock = { now: 1_000_000_000 }
  const context: CommandContext = {
    env: {},
    out: text => void stdout.write(text),
    err: text => void stderr.write(text),
    now: () => clock.now,
    connect: async () => ({
      client: server,
      endpoint: new URL('https://sallyport.test'),
      region: 'us-east-1',
    }),
  }
  const parts: RunParts = {
    streams: { stdout, stderr, env: { NO_COLOR: '1' } },
    stdin,
    process: signals as unknown as NodeJS.Process,
    wait: async () => {},
  }
  const targets = names.map((_, place) => nodeId(place))
  const start = (options: RunOptions = {}, words = ['uptime']) =>
    run({ targets: options.all || options.targets ? [] : targets, words }, options, context, parts)
  return { server, stdout, stderr, stdin, signals, clock, context, parts, start }
}
