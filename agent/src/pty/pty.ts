import { closeSync } from 'node:fs'
import { ReadStream } from 'node:tty'
import { hideFromChildren } from './inherited-fds.ts'
import { nativePty } from './native.ts'
import { programOutput } from './program-output.ts'
import { type PtyExit, type PtyOptions, type Started, startWithFork, startWithSetsid } from './start.ts'
import { terminalInput } from './terminal-input.ts'

export type { PtyExit, PtyOptions } from './start.ts'

export type Pty = {
  pid: number
  /** Reading starts with the first listener, so early output is not lost. */
  onData(listener: (chunk: Uint8Array) => void): void
  /** Queues input. False: 64 KiB or more wait, stop until onDrain. Throws above 16 MiB. Harmless after the exit. */
  write(data: Uint8Array): boolean
  onDrain(listener: () => void): void
  /** Sizes in characters; ignored when out of range or after the exit. */
  resize(cols: number, rows: number): void
  /** Stops onData; the program blocks once the kernel's buffer is full. */
  pause(): void
  resume(): void
  /** Resolves after the exit, once every byte of output went to onData. Killed by signal n: exitCode 128 + n. */
  exited: Promise<PtyExit>
  /** Hangs the terminal up and drops undelivered output; `exited` still waits for the program to be gone. */
  destroy(): void
}

/** The kernel holds at most 64 KiB of flip buffer and 4 KiB of line discipline per terminal. */
const LAST_OUTPUT_LIMIT = 256 * 1024

const sizeIsValid = (size: number): boolean => Number.isInteger(size) && size > 0 && size <= 0xffff

/** Starts `file` as the leader of a new POSIX session on a new terminal. Throws, with the reason, if it cannot. */
export const openPty = (options: PtyOptions): Pty =>
  ptyOf(process.platform === 'linux' ? startWithSetsid(options) : startWithFork(options))

/** The terminal of a program that was started; see `openPty`. */
export const ptyOf = (started: Started): Pty => {
  const { pid, master, slave } = started
  const input = terminalInput(master)
  // Output is a sign that the program is awake and may have read its input.
  const output = programOutput({
    fd: master,
    stream: new ReadStream(master),
    lastOutputLimit: LAST_OUTPUT_LIMIT,
    onRead: input.retry,
    onClosed: hideFromChildren(master),
  })
  let slaveIsOpen = true
  const closeSlave = (): void => {
    if (slaveIsOpen) closeSync(slave)
    slaveIsOpen = false
  }
  const finish = async (exit: PtyExit): Promise<PtyExit> => {
    input.close()
    const delivered = output.finish()
    closeSlave()
    await delivered
    return exit
  }
  return {
    pid,
    onData: output.onData,
    write: data => !output.isOpen() || input.write(data),
    onDrain: input.onDrain,
    resize: (cols, rows) => {
      if (output.isOpen() && sizeIsValid(cols) && sizeIsValid(rows)) nativePty().resize(master, cols, rows)
    },
    pause: output.pause,
    resume: output.resume,
    exited: started.exited.then(finish),
    destroy: () => {
      input.close()
      output.destroy()
      closeSlave()
      started.hangUp()
    },
  }
}
