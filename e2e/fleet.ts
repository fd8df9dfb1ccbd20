import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Stack } from './stack.ts'

const program = fileURLToPath(new URL('./simulated-nodes.ts', import.meta.url))
/** What an activation registers at most (control-plane.md 23). */
const NODES_PER_ACTIVATION = 1_000

export type FleetOptions = {
  /** Tags of all of them, as `Key=k,Value=v`. */
  tag?: string
  /** How long a command takes, on average; 0 unless given. */
  runMs?: number
}

/** How many nodes ran a command how often, and how often it was told to them in all. */
export type Ran = { times: Record<string, number>; told: number }

/** Simulated nodes in processes of their own, a thousand in each at most. `await using` ends them. */
export class Fleet implements AsyncDisposable {
  readonly #stack: Stack
  readonly #options: FleetOptions
  readonly #processes: NodeProcess[] = []
  readonly #ids: string[][] = []

  constructor(stack: Stack, options: FleetOptions = {}) {
    this.#stack = stack
    this.#options = options
  }

  get ids(): string[] {
    return this.#ids.flat()
  }

  /** Resolves when so many are online. */
  async open(count: number): Promise<void> {
    for (let index = 0; index * NODES_PER_ACTIVATION < count; index++) {
      this.#processes[index] ??= await this.#start()
      const wanted = Math.min(NODES_PER_ACTIVATION, count - index * NODES_PER_ACTIVATION)
      const answer = (await this.#processes[index]?.ask(`open ${wanted}`)) as { ids: string[] }
      this.#ids[index] = answer.ids
    }
  }

  async ran(commandId: string): Promise<Ran> {
    const total: Ran = { times: {}, told: 0 }
    for (const nodes of this.#processes) {
      const { times, told } = (await nodes.ask(`ran ${commandId}`)) as Ran
      for (const [often, count] of Object.entries(times))
        total.times[often] = (total.times[often] ?? 0) + count
      total.told += told
    }
    return total
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map(nodes => nodes.stop()))
  }

  async #start(): Promise<NodeProcess> {
    const { tag, runMs = 0 } = this.#options
    const activation = await this.#stack.api(
      'create-activation',
      ...['--iam-role', 'SSMServiceRole', '--registration-limit', String(NODES_PER_ACTIVATION)],
      ...(tag === undefined ? [] : ['--tags', tag]),
    )
    const { endpoint, caFile } = this.#stack
    return new NodeProcess([
      endpoint,
      caFile,
      activation.ActivationId,
      activation.ActivationCode,
      String(runMs),
    ])
  }
}

class NodeProcess {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #lines: AsyncIterator<string>

  constructor(args: string[]) {
    const child = spawn(process.execPath, ['--import', 'tsx', program, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child = child
    this.#exited = once(child, 'exit')
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  }

  async ask(line: string): Promise<unknown> {
    this.#child.stdin?.write(`${line}\n`)
    const { done, value } = await this.#lines.next()
    if (done) throw new Error('the simulated nodes broke off')
    return JSON.parse(value)
  }

  async stop(): Promise<void> {
    this.#child.stdin?.end()
    await this.#exited
  }
}
