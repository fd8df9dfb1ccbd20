import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { memoryOf } from './memory-of.ts'
import { openStack, type Peers } from './peers.ts'
import { figure, printTable } from './table.ts'
import { openForward, openTarget, type Tunnel } from './tunnels.ts'

const SESSIONS = 20
const BYTES = 2 ** 30
/** Until everything between the two ends is as full as it gets. */
const FILL_MS = 3_000
const KIB_PER_MIB = 1024

/**
 * What a session in mid-transfer costs the server when its client does not read: stopped with SIGSTOP, so that
 * its socket fills up, first downwards, then with the node's agent stopped upwards.
 */
export async function benchGatewayMemory({ account }: Peers): Promise<void> {
  await using stack = await openStack(account)
  await using target = await openTarget()
  const before = await memoryOf(stack.server.pid)
  const forwards: Array<Tunnel & { pid: number }> = []
  const sockets: Socket[] = []
  try {
    while (forwards.length < SESSIONS) forwards.push(await openForward(stack, target.port))
    const idle = await memoryOf(stack.server.pid)
    for (const { port } of forwards) {
      sockets.push(await busy(port, `down ${BYTES}\n`), await busy(port, `up ${BYTES}\n`))
    }
    for (const { pid } of forwards) process.kill(pid, 'SIGSTOP')
    await sleep(FILL_MS)
    const down = await memoryOf(stack.server.pid)
    process.kill(stack.node.process.pid, 'SIGSTOP')
    for (const { pid } of forwards) process.kill(pid, 'SIGCONT')
    await sleep(FILL_MS)
    const up = await memoryOf(stack.server.pid)
    const row = (name: string, memory: typeof before) => [
      name,
      figure(memory.resident / KIB_PER_MIB),
      figure(memory.collected / KIB_PER_MIB),
      figure((memory.collected - before.collected) / SESSIONS / KIB_PER_MIB),
    ]
    printTable(
      `Resident set of the server with ${SESSIONS} port sessions, MiB`,
      ['', 'as it is', 'collected', 'for each session'],
      [
        row('no session', before).with(3, '-'),
        row('idle', idle),
        row('full transfers, the clients stopped', down),
        row('full transfers, the agent stopped', up),
      ],
    )
  } finally {
    process.kill(stack.node.process.pid, 'SIGCONT')
    for (const { pid } of forwards) process.kill(pid, 'SIGCONT')
    for (const socket of sockets) socket.destroy()
    for (const forward of forwards) await forward[Symbol.asyncDispose]()
  }
}

async function busy(port: number, line: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(line)
  if (line.startsWith('down')) return socket.resume()
  const chunk = Buffer.alloc(256 * 1024, 'x')
  const more = () => {
    while (socket.writable && socket.write(chunk));
  }
  socket.on('drain', more)
  more()
  return socket
}
