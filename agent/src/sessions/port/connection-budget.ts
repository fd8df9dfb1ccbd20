/** Connections that all sessions of an agent may have open together. */
const MAXIMUM_CONNECTIONS = 4096

type Session = { readonly streamCount: number }

/**
 * Every connection may make the agent keep a stream's window of bytes, and every session may have 1,024 of them: that
 * is bounded for the session, and here for the process.
 */
export class ConnectionBudget {
  readonly #limit: number
  readonly #sessions = new Set<Session>()

  constructor(limit: number) {
    this.#limit = limit
  }

  add(session: Session): void {
    this.#sessions.add(session)
  }

  remove(session: Session): void {
    this.#sessions.delete(session)
  }

  /** For a connection that is counted already. Throws an error that says, behind `label`, how many there are. */
  check(label: string): void {
    let open = 0
    for (const session of this.#sessions) open += session.streamCount
    if (open <= this.#limit) return
    throw new Error(`${label}: the agent has ${this.#limit} forwarded connections open, which is its limit`)
  }
}

/** The memory that is spared is the process's. */
export const processConnections = new ConnectionBudget(MAXIMUM_CONNECTIONS)
