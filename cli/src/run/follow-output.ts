import type { WatchedInvocation } from '@sallyport/protocol/api/ssm-commands'
import type { ApiClient } from '../client.ts'
import { inertLines } from '../inert.ts'
import { readOutput, stepsOn } from './node-output.ts'
import type { Screen, StreamName } from './screen.ts'
import type { OutputNode, OutputSink } from './sinks.ts'
import type { Persistence } from './watch.ts'

export type FollowOptions = {
  client: ApiClient
  commandId: string
  sink: OutputSink
  screen: Screen
  persistence: Persistence
  /** Whether output is asked for while a node runs, rather than when it has ended. */
  live: boolean
  /** Whether the document may have several steps. */
  manySteps: boolean
}

/** How many nodes that have ended are read from at a time. */
const MAX_READERS = 8
const STREAMS = ['stdout', 'stderr'] as const
/** How nodes end that have run nothing. */
const NEVER_RAN = new Set(['DeliveryTimedOut', 'Terminated', 'AccessDenied', 'InvalidPlatform'])

/** Brings the output of the nodes to the sink: piece by piece, or all of a node's when it has ended. Never rejects. */
export class OutputFollower {
  readonly #options: FollowOptions
  readonly #following = new Map<string, Promise<void>>()
  readonly #waiting: Array<() => void> = []
  #readers = 0
  #printing: Promise<void> = Promise.resolve()
  #complained = false

  constructor(options: FollowOptions) {
    this.#options = options
  }

  began(node: OutputNode): void {
    if (this.#options.live) void this.#follow(node)
  }

  /** Resolves when all that the node has written is in the sink. */
  async ended(node: OutputNode, { StatusDetails }: WatchedInvocation): Promise<void> {
    const following = this.#following.get(node.nodeId)
    if (following !== undefined || NEVER_RAN.has(StatusDetails)) return following
    return this.#follow(node)
  }

  async finished(): Promise<void> {
    await Promise.all(this.#following.values())
  }

  #follow(node: OutputNode): Promise<void> {
    const read = this.#options.live ? this.#readLive(node) : this.#readEnded(node)
    const guarded = read
      .catch(error => this.#complain(node, error))
      .finally(() => this.#options.sink.end(node))
    this.#following.set(node.nodeId, guarded)
    return guarded
  }

  async #readLive(node: OutputNode): Promise<void> {
    for (const step of await this.#steps(node)) {
      await Promise.all(
        STREAMS.map(stream => this.#drain(node, stream, this.#read(node, stream, step, true))),
      )
      // The last line of a step may have no line feed; the next one does not go on with it.
      this.#options.sink.end(node)
    }
  }

  /** Only so many at a time are read, and one after the other printed. */
  async #readEnded(node: OutputNode): Promise<void> {
    await this.#enter()
    try {
      const steps = await this.#steps(node)
      const reads = steps.map(step =>
        STREAMS.map(stream => ({ stream, pieces: ahead(this.#read(node, stream, step, false)) })),
      )
      const before = this.#printing
      const print = async () => {
        await before
        for (const step of reads) {
          for (const { stream, pieces } of step) await this.#drain(node, stream, pieces)
          this.#options.sink.end(node)
        }
      }
      const printed = print()
      this.#printing = printed.catch(() => undefined)
      await printed
    } finally {
      this.#leave()
    }
  }

  async #steps({ nodeId }: OutputNode): Promise<Array<string | undefined>> {
    const { client, commandId, manySteps } = this.#options
    return manySteps ? await stepsOn(client, commandId, nodeId) : [undefined]
  }

  #read({ nodeId }: OutputNode, stream: StreamName, step: string | undefined, follow: boolean) {
    const { client, commandId, persistence } = this.#options
    return readOutput(client, { commandId, nodeId, step }, stream, persistence, follow)
  }

  async #drain(node: OutputNode, stream: StreamName, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const piece of pieces) {
      this.#options.sink.write(node, stream, piece)
      await this.#options.screen.drained()
    }
  }

  async #enter(): Promise<void> {
    if (this.#readers < MAX_READERS) this.#readers++
    else await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  #leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#readers--
    else next()
  }

  /** Once: what keeps one output from being read keeps the others too. */
  #complain({ label }: OutputNode, error: unknown): void {
    if (this.#complained) return
    this.#complained = true
    const { message } = error as Error
    this.#options.screen.notice(`sallyport: the output of ${label} cannot be shown: ${inertLines(message)}`)
  }
}

/** Asks for the first piece at once; the others as they are wanted. */
const ahead = (pieces: AsyncGenerator<Uint8Array>): AsyncIterable<Uint8Array> => {
  const first = pieces.next()
  // Awaited later, when it is this output's turn.
  first.catch(() => undefined)
  return (async function* () {
    const { done, value } = await first
    if (done) return
    yield value
    yield* pieces
  })()
}
