import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const TIMEOUT = 30_000

/** Where one boot cannot be told from another. */
export const UNKNOWN_BOOT = 'unknown'

/**
 * Another one after every boot (proc(5)). Containers share that of their host, so the first process counts as well: it
 * begins at another time (field 22 of its stat) when a container is started anew.
 */
export function bootId(proc = '/proc'): string {
  try {
    const boot = readFileSync(join(proc, 'sys/kernel/random/boot_id'), 'utf8').trim()
    const stat = readFileSync(join(proc, '1/stat'), 'utf8')
    return `${boot} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`
  } catch {
    return UNKNOWN_BOOT
  }
}

/** Rejects if the machine does not let itself be rebooted, with what the program said. */
export async function rebootMachine(command: readonly string[]): Promise<void> {
  const [program = '', ...args] = command
  await promisify(execFile)(program, args, { timeout: TIMEOUT })
}
