import { readSync } from 'node:fs'
import type { Socket } from 'node:net'

const READ_SIZE = 64 * 1024

export type ProgramOutputOptions = {
  /** Our end, non-blocking: the master of a terminal, or the reading end of a pipe. */
  fd: number
  /** Reads `fd`, and owns it. */
  stream: Socket
  /**
   * No more than this, in bytes, can have been written before the exit and not been read; more can only come from a
   * background program that goes on writing.
   */
  lastOutputLimit: number
  /** After each chunk. */
  onRead?: () => void
  /** Once, when the descriptor is gone. */
  onClosed?: () => void
}

export type ProgramOutput = {
  onData(listener: (chunk: Uint8Array) => void): void
  pause(): void
  resume(): void
  /** Takes what the kernel still holds, closes our end, and resolves when all of it was delivered. */
  finish(): Promise<void>
  /** Closes our end and drops what was not delivered. */
  destroy(): void
  /** True while the descriptor is ours; after that its number may belong to something else. */
  isOpen(): boolean
}

const readRest = (fd: number, limit: number): Uint8Array[] => {
  const rest: Uint8Array[] = []
  let total = 0
  while (total < limit) {
    const chunk = new Uint8Array(READ_SIZE)
    let length = 0
    try {
      length = readSync(fd, chunk)
    } catch {
      // EAGAIN: empty. EIO: the terminal was hung up.
    }
    if (length === 0) break
    rest.push(chunk.subarray(0, length))
    total += length
  }
  return rest
}

/** What a program writes, with back-pressure. Nothing is read before the first `onData`. */
export const programOutput = (options: ProgramOutputOptions): ProgramOutput => {
  const { fd, stream, lastOutputLimit, onRead, onClosed } = options
  const listeners: ((chunk: Uint8Array) => void)[] = []
  const rest: Uint8Array[] = []
  let paused = false
  let delivered: (() => void) | undefined

  const deliver = (chunk: Uint8Array): void => {
    for (const listener of listeners) listener(chunk)
    onRead?.()
  }
  const deliverRest = (): void => {
    while (!paused && listeners.length > 0) {
      const chunk = rest.shift()
      if (chunk === undefined) break
      deliver(chunk)
    }
    if (rest.length === 0) delivered?.()
  }
  const flow = (): void => {
    if (delivered !== undefined) deliverRest()
    else if (paused || listeners.length === 0) stream.pause()
    else stream.resume()
  }

  stream.pause()
  stream.on('data', deliver)
  // EIO after a hang-up (vhangup by a login inside the session); the exit of the program is what ends the session.
  stream.on('error', () => undefined)
  stream.once('close', () => onClosed?.())

  const collect = (): void => {
    // With a listener, read() would emit what it returns.
    stream.off('data', deliver)
    stream.pause()
    for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) rest.push(chunk)
    if (!stream.destroyed) rest.push(...readRest(fd, lastOutputLimit))
    stream.destroy()
  }

  return {
    onData: listener => {
      listeners.push(listener)
      flow()
    },
    pause: () => {
      paused = true
      flow()
    },
    resume: () => {
      paused = false
      flow()
    },
    finish: () =>
      new Promise(resolve => {
        if (!stream.destroyed) collect()
        delivered = resolve
        deliverRest()
      }),
    destroy: () => {
      stream.off('data', deliver)
      stream.destroy()
      rest.length = 0
      delivered?.()
    },
    isOpen: () => !stream.destroyed,
  }
}
