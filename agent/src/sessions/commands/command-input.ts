import { Socket } from 'node:net'
import { ByteQueue } from '@sallyport/protocol/byte-queue'
import { concatBytes } from '@sallyport/protocol/bytes'
import { INPUT_STEP, INPUT_WINDOW } from '@sallyport/protocol/input-credit'

/** Written at once; what a pipe holds (pipe(7)). */
const PIECE = 64 * 1024

/**
 * What the client sends to a command, on its way into the command's standard input. It takes all that the client may
 * send (input-credit.ts), also before the command runs, and asks for more as the command reads.
 */
export class CommandInput {
  readonly #onRoom: () => void
  /** Gathered: a million pieces of one byte must not take more memory than one of a million bytes. */
  readonly #waiting = new ByteQueue()
  #stream: Socket | undefined
  #state: 'open' | 'ended' | 'closed' = 'open'
  /** Bytes that were written and that the command has not taken. */
  #underWay = 0
  #taken = 0

  /** `onRoom` is called for each `INPUT_STEP` bytes that the command has taken. */
  constructor(onRoom: () => void) {
    this.#onRoom = onRoom
  }

  /** The command runs, and reads from the other end of the pipe `fd`. */
  attach(fd: number): void {
    const stream = new Socket({ fd, readable: false, writable: true })
    this.#stream = stream
    // EPIPE: a command need not read its input. The client gets no leave to send more of it.
    stream.on('error', () => this.close())
    if (this.#state === 'closed') stream.destroy()
    else this.#pump()
  }

  /** False: the client has sent more than it may. */
  write(bytes: Uint8Array): boolean {
    if (this.#state !== 'open') return true
    if (this.#waiting.size + this.#underWay + bytes.length > INPUT_WINDOW) return false
    this.#waiting.gather(bytes)
    this.#pump()
    return true
  }

  /** After what was written the command finds the end of its input. */
  end(): void {
    if (this.#state !== 'open') return
    this.#state = 'ended'
    this.#pump()
  }

  close(): void {
    this.#state = 'closed'
    this.#waiting.clear()
    this.#stream?.destroy()
  }

  #pump(): void {
    if (this.#stream === undefined || this.#underWay > 0 || this.#state === 'closed') return
    const parts: Uint8Array[] = []
    this.#underWay = this.#waiting.take(PIECE, parts)
    const [first] = parts
    if (first !== undefined) {
      this.#stream.write(parts.length === 1 ? first : concatBytes(parts), error => error || this.#written())
    } else if (this.#state === 'ended') this.#stream.end()
  }

  #written(): void {
    this.#taken += this.#underWay
    this.#underWay = 0
    this.#pump()
    while (this.#taken >= INPUT_STEP) {
      this.#taken -= INPUT_STEP
      if (this.#state === 'open') this.#onRoom()
    }
  }
}
