import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Peers } from './peers.ts'
import { figure, median, printTable, ratio } from './table.ts'
import { JUMP, openTarget, PEER, type Tunnel, tunnels } from './tunnels.ts'

const RUNS = 5
const BYTES = 256 * 2 ** 20
const CHUNK = Buffer.alloc(256 * 1024, 'x')
const CONNECTIONS = 1000
const CONCURRENCIES = [1, 10, 50]
const STREAMS = 49
const STREAM_BYTES = 2 ** 20

/** Port forwarding beside OpenSSH's: bytes each way, new connections, and streams beside one that stalls. */
export async function benchForward(peers: Peers): Promise<void> {
  await using target = await openTarget()
  const ways = Object.entries(tunnels(peers, target))
  const open: Array<[string, Tunnel]> = []
  try {
    for (const [name, way] of ways) open.push([name, await way()])
    await benchBytes(open)
    await benchConnections(open)
    await benchStall(open)
  } finally {
    for (const [, tunnel] of open) await tunnel[Symbol.asyncDispose]()
  }
}

type Open = ReadonlyArray<readonly [string, Tunnel]>

async function benchBytes(open: Open): Promise<void> {
  const rate = (milliseconds: number) => BYTES / 1e6 / (milliseconds / 1000)
  const down = await inTurns(open, ({ port }) => timed(() => download(port, BYTES)))
  const up = await inTurns(open, ({ port }) => timed(() => upload(port, BYTES)))
  const figures = (times: Map<string, number[]>, name: string) => rate(median(times.get(name) ?? []))
  printTable(
    `256 MiB through one connection, MB/s (median of ${RUNS})`,
    ['way', 'down', 'up', 'down to ssh -L', 'up', 'down to ssh -J', 'up'],
    open.map(([name]) => {
      const own = [figures(down, name), figures(up, name)] as const
      const to = (peer: string) => [ratio(own[0], figures(down, peer)), ratio(own[1], figures(up, peer))]
      return [name, figure(own[0]), figure(own[1]), ...to(PEER), ...to(JUMP)]
    }),
  )
}

async function benchConnections(open: Open): Promise<void> {
  const rates: Array<Map<string, number[]>> = []
  for (const concurrency of CONCURRENCIES) {
    rates.push(await inTurns(open, ({ port }) => timed(() => connections(port, concurrency))))
  }
  const perSecond = (times: Map<string, number[]>, name: string) =>
    CONNECTIONS / (median(times.get(name) ?? []) / 1000)
  printTable(
    `New connections, each with one byte there and back, per second (median of ${RUNS}; in brackets to ssh -L)`,
    ['way', ...CONCURRENCIES.map(concurrency => `${concurrency} at once`)],
    open.map(([name]) => [
      name,
      ...rates.map(times => {
        const own = perSecond(times, name)
        return `${figure(own)} (${ratio(own, perSecond(times, PEER))})`
      }),
    ]),
  )
}

async function benchStall(open: Open): Promise<void> {
  const free = await inTurns(open, ({ port }) => timed(() => downloads(port)))
  const stalled = await inTurns(open, async ({ port }) => {
    const socket = await request(port, `down ${BYTES}\n`)
    socket.pause()
    try {
      return await timed(() => downloads(port))
    } finally {
      socket.destroy()
    }
  })
  printTable(
    `${STREAMS} downloads of 1 MiB at once, ms (median of ${RUNS})`,
    ['way', 'alone', 'beside a stalled one'],
    open.map(([name]) => [
      name,
      figure(median(free.get(name) ?? [])),
      figure(median(stalled.get(name) ?? [])),
    ]),
  )
}

/** Each way in each round, so that what slows the machine for a while slows all of them. */
async function inTurns(
  open: Open,
  measure: (tunnel: Tunnel) => Promise<number>,
): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>()
  for (let run = 0; run < RUNS; run++) {
    for (const [name, tunnel] of open) {
      times.set(name, [...(times.get(name) ?? []), await measure(tunnel)])
    }
  }
  return times
}

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

async function request(port: number, line: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  socket.write(line)
  return socket
}

async function download(port: number, bytes: number): Promise<void> {
  const socket = await request(port, `down ${bytes}\n`)
  let had = 0
  socket.on('data', chunk => {
    had += chunk.length
  })
  await once(socket, 'end')
  socket.destroy()
  if (had !== bytes) throw new Error(`${had} of ${bytes} bytes came`)
}

async function upload(port: number, bytes: number): Promise<void> {
  const socket = await request(port, `up ${bytes}\n`)
  const answered = once(socket, 'data')
  for (let left = bytes; left > 0; left -= CHUNK.length) {
    if (!socket.write(CHUNK)) await once(socket, 'drain')
  }
  await answered
  socket.destroy()
}

async function downloads(port: number): Promise<void> {
  await Promise.all(Array.from({ length: STREAMS }, () => download(port, STREAM_BYTES)))
}

async function connections(port: number, concurrency: number): Promise<void> {
  let left = CONNECTIONS
  const worker = async () => {
    while (left-- > 0) {
      const socket = await request(port, '\n')
      await once(socket, 'data')
      socket.destroy()
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
}
