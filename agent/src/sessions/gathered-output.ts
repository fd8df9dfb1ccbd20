import { concatBytes } from '@sallyport/protocol/bytes'
import type { DataChannel } from '@sallyport/protocol/data-channel'
import { PayloadType } from '@sallyport/protocol/message-types'

/** A terminal gives at most 4 KiB at a time; as one frame each they cost more than what they carry. */
const GATHERED = 48 * 1024
/** With less than this under way, nobody is behind and every byte goes out at once. */
const BUSY = 32 * 1024
/** The longest that output is held back, ms. */
const HELD_FOR = 2

/**
 * Output on its way from a terminal or a pipe into a data channel: at once while a person types, in large messages while a
 * program pours it out faster than it is taken.
 */
export class GatheredOutput {
  readonly #channel: DataChannel
  readonly #payloadType: number
  #gathered: Uint8Array[] = []
  #bytes = 0
  #timer: NodeJS.Timeout | undefined

  constructor(channel: DataChannel, payloadType: number = PayloadType.output) {
    this.#channel = channel
    this.#payloadType = payloadType
  }

  /** Takes what the terminal gave. False: the channel is full, wait until it is writable. */
  push(chunk: Uint8Array): boolean {
    if (this.#bytes === 0 && this.#channel.bufferedBytes < BUSY) {
      return this.#channel.send(this.#payloadType, chunk)
    }
    this.#gathered.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes >= GATHERED) return this.flush()
    this.#timer ??= setTimeout(() => this.flush(), HELD_FOR)
    return this.#channel.writable
  }

  /** Sends what was gathered. False as `push`. */
  flush(): boolean {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const gathered = this.#gathered
    this.#gathered = []
    this.#bytes = 0
    return gathered.length === 0
      ? this.#channel.writable
      : this.#channel.send(this.#payloadType, concatBytes(gathered))
  }
}
