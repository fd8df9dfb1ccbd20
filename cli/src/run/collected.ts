import type { StreamName } from './screen.ts'
import type { OutputNode, OutputSink } from './sinks.ts'

/** Of one stream of one node, and of all of them together: JSON is read into memory, by us and by whoever reads it. */
const MAX_STREAM = 1024 * 1024
const MAX_ALL = 64 * 1024 * 1024
const TAIL_LINES = 3

type Kept = { pieces: Uint8Array[]; length: number; cut: boolean }

/** Keeps the output of the nodes for the object that `--json` prints, within limits. */
export class CollectedOutput implements OutputSink {
  readonly #kept = new Map<string, Kept>()
  #all = 0

  write({ nodeId }: OutputNode, stream: StreamName, piece: Uint8Array): void {
    const key = `${nodeId} ${stream}`
    const kept = this.#kept.get(key) ?? { pieces: [], length: 0, cut: false }
    this.#kept.set(key, kept)
    const room = Math.max(0, Math.min(MAX_STREAM - kept.length, MAX_ALL - this.#all))
    const part = piece.subarray(0, room)
    kept.cut ||= part.length < piece.length
    kept.pieces.push(part)
    kept.length += part.length
    this.#all += part.length
  }

  end(): void {}

  /** `OutputCut`: there is more than this, which `sallyport command output` shows. */
  of(nodeId: string): { StandardOutput: string; StandardError: string; OutputCut?: true } {
    const [out, err] = (['stdout', 'stderr'] as const).map(stream => this.#kept.get(`${nodeId} ${stream}`))
    const cut = out?.cut || err?.cut
    return { StandardOutput: textOf(out), StandardError: textOf(err), ...(cut ? { OutputCut: true } : {}) }
  }
}

const textOf = (kept: Kept | undefined): string => Buffer.concat(kept?.pieces ?? []).toString('utf8')

/** What agents write at the end, which their node's status says too. */
const REPEATED = /^failed to run commands: exit status \d+$/

/** The last lines of what a command wrote. */
export const lastLines = (text: string): string[] =>
  text
    .split('\n')
    .filter(line => line.trim() !== '' && !REPEATED.test(line))
    .slice(-TAIL_LINES)
