import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * For NODE_OPTIONS of a process whose memory is measured: SIGUSR2 makes it collect its garbage. Without that, the
 * resident set says how long ago V8 last felt like it.
 */
export const COLLECT_ON_SIGNAL = `--import=data:text/javascript,${encodeURIComponent(
  [
    "import{setFlagsFromString}from'node:v8'",
    "import{runInNewContext}from'node:vm'",
    "setFlagsFromString('--expose-gc')",
    "const{gc}=globalThis.gc?globalThis:{gc:runInNewContext('gc')}",
    "process.on('SIGUSR2',()=>{gc();gc()})",
  ].join(';'),
)}`

/** Two collections and the return of the pages to the system. */
const SETTLE_MS = 1_500

export type Memory = { resident: number; collected: number }

/** Resident set in KiB: as it is, and after its garbage is collected. */
export async function memoryOf(pid: number): Promise<Memory> {
  const resident = residentSet(pid)
  for (let i = 0; i < 2; i++) {
    process.kill(pid, 'SIGUSR2')
    await sleep(SETTLE_MS)
  }
  return { resident, collected: residentSet(pid) }
}

/** Sockets that a process has open. */
export function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).filter(name => {
    try {
      return readlinkSync(`${folder}/${name}`).startsWith('socket:')
    } catch {
      // Closed since.
      return false
    }
  }).length
}

function residentSet(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}
