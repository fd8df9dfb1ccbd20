import { connect, type Socket } from 'node:net'
import type { Address } from './address.ts'

/** The next address gets its chance when the one before has not answered for so long, ms (RFC 8305 5). */
const ATTEMPT_DELAY = 250
/** As Go's dialer, and so a stock agent, sets it: a target that is gone is noticed, ms. */
const KEEP_ALIVE_AFTER = 15_000
/** That this host lacks an address family says nothing about the destination. */
const NO_SUCH_FAMILY = ['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'ENETUNREACH']

/**
 * Connects to the first of the addresses that answers; no name is resolved here. Rejects with the error that says most
 * about the destination, or with the reason of `signal`; nothing is left open then.
 */
export function connectToFirst(
  addresses: readonly Address[],
  port: number,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const waiting = [...addresses]
    const attempts = new Set<Socket>()
    let problem: NodeJS.ErrnoException | undefined
    let timer: NodeJS.Timeout | undefined

    const finish = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', aborted)
      waiting.length = 0
      for (const attempt of attempts) attempt.destroy()
      attempts.clear()
    }
    const aborted = () => {
      finish()
      reject(signal.reason)
    }
    const failed = (attempt: Socket, error: NodeJS.ErrnoException) => {
      // The loser of a race may still say why it lost.
      if (!attempts.delete(attempt)) return
      if (problem === undefined || NO_SUCH_FAMILY.includes(problem.code ?? '')) problem = error
      if (waiting.length > 0) return next()
      if (attempts.size > 0) return
      finish()
      reject(problem)
    }
    const next = () => {
      clearTimeout(timer)
      const address = waiting.shift()
      if (address === undefined) return
      const socket = connect({
        host: address.text + address.zone,
        port,
        allowHalfOpen: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: KEEP_ALIVE_AFTER,
      })
      attempts.add(socket)
      const onError = (error: Error) => failed(socket, error)
      socket.on('error', onError)
      socket.once('connect', () => {
        if (!attempts.delete(socket)) return
        socket.off('error', onError)
        finish()
        resolve(socket)
      })
      if (waiting.length > 0) timer = setTimeout(next, ATTEMPT_DELAY)
    }

    if (signal.aborted) return aborted()
    signal.addEventListener('abort', aborted)
    next()
  })
}
