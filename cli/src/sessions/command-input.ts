import type { DataChannel } from '@sallyport/protocol/data-channel'
import { INPUT_STEP, INPUT_WINDOW } from '@sallyport/protocol/input-credit'
import { PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { encodeFlag } from '@sallyport/protocol/payloads'
import type { Terminal } from '../terminal/terminal.ts'

/** Standard input on its way to a command: as much as the agent has asked for, and the end of it (input-credit.ts). */
export class CommandInput {
  readonly #channel: DataChannel
  readonly #terminal: Terminal
  #waiting: Uint8Array[] = []
  #credit = INPUT_WINDOW
  #state: 'open' | 'ending' | 'ended' = 'open'

  constructor(channel: DataChannel, terminal: Terminal) {
    this.#channel = channel
    this.#terminal = terminal
  }

  push(bytes: Uint8Array): void {
    if (this.#state !== 'open') return
    this.#waiting.push(bytes)
    this.pump()
  }

  end(): void {
    if (this.#state !== 'open') return
    this.#state = 'ending'
    this.pump()
  }

  /** The agent has room for another `INPUT_STEP`. */
  addCredit(): void {
    this.#credit += INPUT_STEP
    this.pump()
  }

  /** Nothing more is sent. */
  close(): void {
    this.#state = 'ended'
    this.#waiting = []
    this.#terminal.pauseInput()
  }

  /** Sends what can be sent. To be called when the channel is writable again. */
  pump(): void {
    if (this.#state === 'ended') return
    while (this.#credit > 0 && this.#channel.writable) {
      const head = this.#waiting.shift()
      if (head === undefined) break
      const now = head.subarray(0, this.#credit)
      if (now.length < head.length) this.#waiting.unshift(head.subarray(now.length))
      this.#credit -= now.length
      this.#channel.send(PayloadType.output, now)
    }
    if (this.#waiting.length > 0) this.#terminal.pauseInput()
    else if (this.#state === 'open') this.#terminal.resumeInput()
    else this.#finish()
  }

  #finish(): void {
    this.#state = 'ended'
    this.#channel.sendWhole(PayloadType.flag, encodeFlag(PayloadFlag.endOfInput))
  }
}
