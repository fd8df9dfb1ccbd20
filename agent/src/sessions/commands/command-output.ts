import { concatBytes, utf8 } from '@sallyport/protocol/bytes'
import type { DataChannel } from '@sallyport/protocol/data-channel'
import { PayloadType } from '@sallyport/protocol/message-types'
import type { ProgramOutput } from '../../pty/program-output.ts'
import { GatheredOutput } from '../gathered-output.ts'

const NEWLINE = 10

/** One output stream of a command on its way to the client. */
export class CommandOutput {
  readonly #source: ProgramOutput
  readonly #gathered: GatheredOutput
  readonly #prefix: Uint8Array
  #prefixDue = true

  /**
   * `prefix` goes before each piece that begins a line, as the stock agent has it: it marks pieces, not lines.
   * `before` is called before output is sent, so that the other stream's, which is older, does not come after it.
   */
  constructor(
    channel: DataChannel,
    payloadType: number,
    source: ProgramOutput,
    prefix: string,
    before: () => void,
  ) {
    this.#source = source
    this.#gathered = new GatheredOutput(channel, payloadType)
    this.#prefix = utf8(prefix)
    source.onData(chunk => {
      before()
      if (!this.#gathered.push(this.#prefixed(chunk))) source.pause()
    })
  }

  flush(): void {
    this.#gathered.flush()
  }

  resume(): void {
    this.#source.resume()
  }

  /** The command has ended: sends what it has written and nothing of what its children may write later. */
  async finish(): Promise<void> {
    await this.#source.finish()
    this.#gathered.flush()
  }

  destroy(): void {
    this.#source.destroy()
  }

  #prefixed(chunk: Uint8Array): Uint8Array {
    if (this.#prefix.length === 0) return chunk
    const due = this.#prefixDue
    this.#prefixDue = chunk.at(-1) === NEWLINE
    return due ? concatBytes([this.#prefix, chunk]) : chunk
  }
}

/** The streams of a command; without `stderr` both are one, in the order in which they were written. */
export function commandOutputs(
  channel: DataChannel,
  sources: { stdout: ProgramOutput; stderr: ProgramOutput | undefined },
  prefixes: { stdout: string; stderr: string },
): CommandOutput[] {
  const outputs: CommandOutput[] = []
  const { stdout, stderr } = sources
  const flushOther = (own: number) => () => outputs[1 - own]?.flush()
  outputs.push(new CommandOutput(channel, PayloadType.output, stdout, prefixes.stdout, flushOther(0)))
  if (stderr !== undefined)
    outputs.push(new CommandOutput(channel, PayloadType.stderr, stderr, prefixes.stderr, flushOther(1)))
  return outputs
}
