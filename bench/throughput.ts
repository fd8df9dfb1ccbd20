import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openPty } from '@sallyport/agent/pty/pty'
import { binDirectory } from '../e2e/stack.ts'
import type { Peers } from './peers.ts'
import { figure, median, printTable, ratio } from './table.ts'

const RUNS = 5
const BYTES = 100_000_000
// The marker is put together by the shell, so that the echo of the command is not taken for it.
const COMMAND = `stty -opost -echo; head -c ${BYTES} /dev/zero | tr '\\0' x; printf '\\nend-%s\\n' of-it`
const MARKER = Buffer.from('end-of-it')
/** A prompt may follow the marker in the same piece. */
const TAIL_BYTES = 512
const TIMEOUT_MS = 120_000

/** 100 MB of a shell's output, from the command until the last byte of it has come out of the program's pipe. */
export async function benchThroughput({ stack, ssh }: Peers): Promise<void> {
  const ways: Record<string, () => Promise<number>> = {
    'terminal of this machine, read by the agent': throughPty,
    'ssh localhost': () => through('ssh', ssh.login, process.env),
    'sallyport connect': () =>
      through(`${binDirectory}/sallyport`, ['connect', stack.node.id], { ...process.env, ...stack.env }),
  }
  const rates = new Map<string, number[]>(Object.keys(ways).map(name => [name, []]))
  for (let run = 0; run < RUNS; run++) {
    for (const [name, way] of Object.entries(ways))
      rates.get(name)?.push(BYTES / 1e6 / ((await way()) / 1000))
  }
  const peer = median(rates.get('ssh localhost') ?? [])
  printTable(
    `100 MB of a shell's output, MB/s (median of ${RUNS})`,
    ['way', 'MB/s', 'to ssh'],
    [...rates].map(([name, all]) => [name, figure(median(all)), ratio(median(all), peer)]),
  )
}

/** Milliseconds. */
async function through(file: string, args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS)
  try {
    await once(child.stdout, 'data')
    const ended = outputEnds(listener => child.stdout.on('data', listener))
    const started = performance.now()
    child.stdin.write(`${COMMAND}\r`)
    await Promise.race([ended, exited.then(() => Promise.reject(new Error(`${file} ended early`)))])
    return performance.now() - started
  } finally {
    clearTimeout(timer)
    child.stdin.end('exit\r')
    await exited
  }
}

async function throughPty(): Promise<number> {
  const env = { PATH: '/usr/bin:/bin', TERM: 'xterm' }
  const started = performance.now()
  const pty = openPty({ file: '/bin/sh', args: ['-c', COMMAND], env, cwd: '/', cols: 80, rows: 24 })
  await outputEnds(listener => pty.onData(listener))
  const took = performance.now() - started
  await pty.exited
  return took
}

/** Resolves when the marker has come, and checks that nothing is missing before it. */
function outputEnds(onData: (listener: (chunk: Uint8Array) => void) => void): Promise<void> {
  let length = 0
  let tail = Buffer.alloc(0)
  return new Promise((resolve, reject) => {
    onData(chunk => {
      length += chunk.length
      tail = Buffer.concat([tail, chunk.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES)
      if (!tail.includes(MARKER)) return
      if (length < BYTES) reject(new Error(`only ${length} bytes came`))
      else resolve()
    })
  })
}
