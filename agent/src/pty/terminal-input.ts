import { writeSync } from 'node:fs'

/** From this many queued bytes on, `write` answers false. */
export const INPUT_HIGH_WATER = 64 * 1024
/** More than this many queued bytes is an error of the caller, who did not wait for the drain. */
export const INPUT_LIMIT = 16 * 1024 * 1024
// A terminal whose program does not read answers EAGAIN for as long as it likes: a timer, because setImmediate
// would spin, and a blocking write would stop every other session. Quick after progress, slower while there is none.
const FIRST_RETRY_MS = 1
const LAST_RETRY_MS = 10
// What one turn of the event loop may write to a program that reads as fast as we write.
const TURN_BYTES = 256 * 1024
// Keystrokes that pile up are joined, so that the queue's bookkeeping is bounded along with its bytes.
const JOIN_BELOW = 4096

export type TerminalInput = {
  write(data: Uint8Array): boolean
  onDrain(listener: () => void): void
  /** The program may have read: try again now rather than at the next tick of the timer. */
  retry(): void
  close(): void
}

const writeSome = (fd: number, data: Uint8Array): number => {
  try {
    return writeSync(fd, data)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EAGAIN' || code === 'EINTR') return 0
    throw error
  }
}

const join = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

/** The bounded write queue in front of the non-blocking pty master `fd`. It never blocks and never spins. */
export const terminalInput = (fd: number): TerminalInput => {
  const queue: Uint8Array[] = []
  const drained: (() => void)[] = []
  let queued = 0
  let full = false
  let closed = false
  let retryMs = FIRST_RETRY_MS
  let timer: NodeJS.Timeout | undefined
  let turn: NodeJS.Immediate | undefined

  const close = (): void => {
    closed = true
    queue.length = 0
    queued = 0
    clearTimeout(timer)
    clearImmediate(turn)
  }

  const stopIfBroken = (data: Uint8Array): number => {
    try {
      return writeSome(fd, data)
    } catch {
      // EIO: the terminal was hung up. The exit of the program tells the session; its input has nowhere to go.
      close()
      return 0
    }
  }

  const wait = (budget: number): void => {
    if (budget <= 0) {
      turn = setImmediate(flush)
      return
    }
    retryMs = budget < TURN_BYTES ? FIRST_RETRY_MS : Math.min(retryMs * 2, LAST_RETRY_MS)
    timer = setTimeout(flush, retryMs)
  }

  const flush = (): void => {
    clearTimeout(timer)
    clearImmediate(turn)
    let budget = TURN_BYTES
    for (let head = queue[0]; head !== undefined && budget > 0; head = queue[0]) {
      const written = stopIfBroken(head)
      if (written === 0) break
      budget -= written
      queued -= written
      if (written === head.length) queue.shift()
      else queue[0] = head.subarray(written)
    }
    if (closed) return
    if (queue.length > 0) wait(budget)
    if (full && queued < INPUT_HIGH_WATER / 2) {
      full = false
      for (const listener of drained) listener()
    }
  }

  const enqueue = (data: Uint8Array): void => {
    const last = queue.length - 1
    const tail = queue[last]
    if (tail !== undefined && tail.length + data.length <= JOIN_BELOW) queue[last] = join(tail, data)
    // Not slice(): of a Buffer that is a view, and the caller may reuse its memory.
    else queue.push(new Uint8Array(data))
    queued += data.length
  }

  return {
    write: data => {
      if (closed || data.length === 0) return true
      if (queued + data.length > INPUT_LIMIT) {
        throw new Error(
          `The program does not read its terminal: ${queued} bytes of input wait, the limit is ${INPUT_LIMIT}. ` +
            'Wait for the drain after a write that returned false.',
        )
      }
      const idle = queue.length === 0
      enqueue(data)
      if (idle) flush()
      full ||= queued >= INPUT_HIGH_WATER
      return !full
    },
    onDrain: listener => drained.push(listener),
    retry: () => {
      if (queue.length > 0 && !closed) flush()
    },
    close,
  }
}
