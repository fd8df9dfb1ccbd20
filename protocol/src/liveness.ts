import type { Clock } from './clock.ts'
import type { Connection } from './transport/transport.ts'

export type LivenessOptions = {
  clock: Clock
  connection: Connection
  pingEvery: number
  /** How long after a ping any sign of life may take, ms. */
  pongTimeout: number
  /** A connection that is not read for now cannot show a sign of life. */
  excused?: () => boolean
  /** The connection is dead; it was dropped. */
  onDead: () => void
}

/**
 * Pings a connection and notices when it is dead: TCP alone may take a quarter of an hour. Any frame counts as a
 * sign of life, told by `seen`.
 */
export class Liveness {
  readonly #options: LivenessOptions
  #seen = true
  #cancel: () => void = () => {}

  constructor(options: LivenessOptions) {
    this.#options = options
    this.#wait()
  }

  seen(): void {
    this.#seen = true
  }

  stop(): void {
    this.#cancel()
  }

  #wait(): void {
    const { clock, connection, pingEvery, pongTimeout } = this.#options
    this.#cancel = clock.after(pingEvery, () => {
      this.#seen = false
      // Before the ping, whose failure may already call `stop`.
      this.#cancel = clock.after(pongTimeout, () => this.#check())
      connection.ping()
    })
  }

  #check(): void {
    const { connection, excused, onDead } = this.#options
    if (this.#seen || excused?.() === true) {
      this.#wait()
      return
    }
    // In this order, or the reason would be that the connection was closed.
    onDead()
    connection.terminate()
  }
}
