import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'

const TIMEOUT = 30_000

/** Where one boot cannot be told from another. */
export const UNKNOWN_BOOT = 'unknown'

/** proc(5): another after every boot. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return UNKNOWN_BOOT
  }
}

/** Rejects if the machine does not let itself be rebooted, with what the program said. */
export async function rebootMachine(command: readonly string[]): Promise<void> {
  const [program = '', ...args] = command
  await promisify(execFile)(program, args, { timeout: TIMEOUT })
}
