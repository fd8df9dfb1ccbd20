import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { acknowledgePayload } from '@sallyport/protocol/payloads'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  call,
  expectQuick,
  frameOf,
  HostileNode,
  logLines,
  type RawChannel,
  RawShell,
} from './hostile-peer.ts'
import { connect, type RemoteShell } from './remote-shell.ts'
import { SlowSockets } from './slow-sockets.ts'
import { Stack, startStack } from './stack.ts'
import { run } from './terminal.ts'

// Floods, clients that do not read, connections that dawdle, a disk that is full. Memory stays bounded, and the
// session of a bystander stays quick.

const MEGABYTE = 1024 * 1024
/** What may come on top of the memory of a process, whatever is thrown at it. */
const MEMORY = 120 * MEGABYTE
const PROTOCOL_ERROR = 1002

let stack: Stack
let node: HostileNode
let control: RawChannel
let bystander: RemoteShell

beforeAll(async () => {
  stack = await startStack()
  node = await HostileNode.register(stack, 'hostile')
  control = await node.goOnline()
  bystander = await connect(stack)
})

afterAll(async () => {
  await bystander?.[Symbol.asyncDispose]()
  await stack?.[Symbol.asyncDispose]()
})

/** The memory that a process occupies, bytes. */
function memoryOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

describe('a flood', () => {
  test('of junk, on one connection after another, costs the server nothing', async () => {
    const before = memoryOf(stack.server.pid)
    for (let i = 0; i < 20; i++) {
      const { client, agent } = await node.openBothEnds()
      for (let j = 0; j < 1000; j++) client.connection.send(`junk ${'x'.repeat(j)}`)
      expect(await client.closed).toMatchObject({ code: PROTOCOL_ERROR })
      agent.connection.terminate()
    }
    await expectQuick(bystander)
    expect(memoryOf(stack.server.pid) - before).toBeLessThan(MEMORY)
  })

  test('of results on the control channel', async () => {
    const before = memoryOf(stack.server.pid)
    const payload = Buffer.from(
      JSON.stringify({
        SchemaVersion: 1,
        TaskId: 'nobody',
        Topic: '',
        FinalTaskStatus: 'Failed',
        Output: 'x'.repeat(10_000),
      }),
    )
    const received = control.received.length
    for (let i = 0; i < 5_000; i++) {
      control.connection.send(frameOf({ messageType: 'agent_task_complete', payloadType: 0, payload }))
    }
    await expectQuick(bystander)
    await expect.poll(() => control.received.length - received, { timeout: 20_000 }).toBe(5_000)
    expect(memoryOf(stack.server.pid) - before).toBeLessThan(MEMORY)
  })

  test('of acknowledgements, repetitions and numbers far ahead, at a real agent', async () => {
    const server = memoryOf(stack.server.pid)
    const agent = memoryOf(stack.node.process.pid)
    const shell = await RawShell.open(stack, stack.node.id)
    const big = Buffer.alloc(16_000, 'x')
    const acknowledge = (number: number) => acknowledgement({ AcknowledgedMessageSequenceNumber: number })
    for (let i = 0; i < 5_000; i++) {
      shell.connection.send(frameOf({ sequenceNumber: 0, payload: big }))
      shell.connection.send(frameOf({ sequenceNumber: 1_000 + i, payload: big }))
      shell.connection.send(frameOf({ sequenceNumber: 100_000 + i, payload: big }))
      shell.connection.send(acknowledge((i * 1_000_003) % 100_000))
      if (shell.connection.bufferedBytes > MEGABYTE) await drained(shell)
    }
    await drained(shell)
    await expectQuick(bystander)
    expect(memoryOf(stack.server.pid) - server).toBeLessThan(MEMORY)
    expect(memoryOf(stack.node.process.pid) - agent).toBeLessThan(MEMORY)
    shell.connection.terminate()
  })

  test('of repetitions, by a client that does not read the answers, stops at the sender', async () => {
    const pids = [stack.server.pid, stack.node.process.pid]
    const before = pids.map(memoryOf)
    const shell = await RawShell.open(stack, stack.node.id)
    shell.connection.pause()
    // Ahead of its turn: each is acknowledged by itself.
    const repetition = frameOf({ sequenceNumber: 1_000 })
    await settled(() => {
      for (let i = 0; i < 2_000 && shell.connection.bufferedBytes < MEGABYTE; i++) {
        shell.connection.send(repetition)
      }
      return shell.connection.bufferedBytes
    })
    for (const [index, pid] of pids.entries()) {
      expect(memoryOf(pid) - (before[index] ?? 0)).toBeLessThan(MEMORY)
    }
    await expectQuick(bystander)
    shell.connection.terminate()
  })

  test('for a node that is away stops at the sender', async () => {
    const { client, agent } = await node.openBothEnds()
    agent.connection.terminate()
    const before = memoryOf(stack.server.pid)
    const frame = frameOf({ payload: Buffer.alloc(64_000) })
    for (let i = 0; i < 3_000; i++) client.connection.send(frame)
    expect(await settled(() => client.connection.bufferedBytes)).toBeGreaterThan(150 * MEGABYTE)
    await expectQuick(bystander)
    expect(memoryOf(stack.server.pid) - before).toBeLessThan(MEMORY)
    client.connection.terminate()
  })
})

describe('sessions in which everything is in flight', () => {
  const SESSIONS = 60
  /** docs/reference/server.md: what a session takes of the server, whatever is in flight. */
  const SESSION = 2 * MEGABYTE

  test('whose ends send and never read take no more than their bound each', async () => {
    const scenes = []
    for (let i = 0; i < SESSIONS; i++) scenes.push(await node.openBothEnds())
    await expectQuick(bystander)
    const before = memoryOf(stack.server.pid)
    const ends = scenes.flatMap(({ client, agent }) => [
      { connection: client.connection, messageType: 'input_stream_data' },
      { connection: agent.connection, messageType: 'output_stream_data' },
    ])
    for (const { connection } of ends) connection.pause()
    const payload = Buffer.alloc(64 * 1024, 'x')
    // More than the kernel's buffers between them take; what is left over stays at the senders.
    for (let i = 0; i < 200; i++) {
      for (const { connection, messageType } of ends) {
        if (connection.bufferedBytes < MEGABYTE) {
          connection.send(frameOf({ messageType, sequenceNumber: i, payload }))
        }
      }
      await setTimeout(5)
    }
    await settled(() => ends.reduce((sum, { connection }) => sum + connection.bufferedBytes, 0))
    for (const { connection } of ends) expect(connection.bufferedBytes).toBeGreaterThan(0)
    expect((memoryOf(stack.server.pid) - before) / SESSIONS).toBeLessThan(SESSION)
    await expectQuick(bystander)
    for (const { connection } of ends) connection.terminate()
  })
})

describe('a client that reads no more', () => {
  test('while its shell prints 200 MB, and acknowledges all the same, holds up nobody', async () => {
    const pids = [stack.server.pid, stack.node.process.pid]
    const before = pids.map(memoryOf)
    const shell = await RawShell.open(stack, stack.node.id)
    shell.type('stty -opost; exec head -c 200000123 /dev/zero\r')
    await shell.waitFor(/\0/)
    shell.connection.pause()
    const everything = acknowledgement({ AcknowledgedMessageSequenceNumber: 0, AcknowledgedThrough: 100_000 })
    // It prints as much as finds room on the way, whatever is acknowledged, and waits for the rest.
    const printed = await settled(() => {
      shell.connection.send(everything)
      for (const [index, pid] of pids.entries()) {
        expect(memoryOf(pid) - (before[index] ?? 0)).toBeLessThan(MEMORY)
      }
      return bytesWrittenBy('200000123')
    })
    expect(printed).toBeLessThan(50 * MEGABYTE)
    await expectQuick(bystander)
    shell.connection.terminate()
  })
})

const upgrade = [
  'GET /v1/data-channel/nobody-0123456789?role=publish_subscribe HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  '\r\n',
].join('\r\n')

describe('a message that costs more than it says', () => {
  test('in shreds, or dribbled, ends the connection that it comes by', async () => {
    await using slow = new SlowSockets(stack)
    const mask = [0, 0, 0, 0]
    const shreds = [Buffer.from([0x02, 0x81, ...mask, 7])]
    for (let i = 0; i < 400; i++) shreds.push(Buffer.from([0x00, 0x81, ...mask, 7]))
    slow.open('a message of one-byte fragments', { text: upgrade, after: Buffer.concat(shreds) })
    const dribble = [Buffer.from([0x82, 0xfe, 0xf0, 0x00, ...mask])]
    for (let i = 0; i < 400; i++) dribble.push(Buffer.from([7]))
    slow.open('a message of one-byte records', { text: upgrade, after: dribble })
    await slow.allOpen()
    // Long before the server has had enough of waiting for an opening frame.
    await slow.allClosed(5_000)
    await expectQuick(bystander)
  })
})

describe('connections that dawdle', () => {
  const headers = 'POST / HTTP/1.1\r\nHost: localhost\r\nX-Slow: '

  test('in the handshake, the headers or the opening frame end, and hold up nobody meanwhile', async () => {
    await using slow = new SlowSockets(stack)
    for (let i = 0; i < 100; i++) {
      slow.open('no handshake', {})
      slow.open('half a TLS record', { raw: Buffer.from([22, 3, 1, 2, 0, 1]) })
      slow.open('headers without an end', { text: headers })
      slow.open('headers that never end', { text: headers, dribble: 'x' })
      slow.open('a websocket without an opening frame', { text: upgrade })
      slow.open('half an opening frame', { text: upgrade, after: Buffer.from([0x82, 0xfe, 0x10]) })
    }
    await slow.allOpen()
    const started = performance.now()
    await expectQuick(bystander)
    await using another = await connect(stack)
    expect(await another.run('echo also quick')).toBe('also quick')
    expect(performance.now() - started).toBeLessThan(5_000)
    await slow.allClosed(25_000)
    await expectQuick(bystander)
  })
})

test('a server that is told to stop does so, whatever dawdles', async () => {
  await using other = await startStack({ nodes: 0 })
  await using slow = new SlowSockets(other)
  slow.open('no handshake', {})
  slow.open('a websocket without an opening frame', { text: upgrade })
  await slow.allOpen()
  const started = performance.now()
  await other.server.stop()
  expect(performance.now() - started).toBeLessThan(5_000)
})

describe('a data directory that is full', () => {
  test('refuses what would have to be stored, and lets running sessions go on', async () => {
    await using disk = await SmallDisk.mount()
    const directory = await mkdtemp(join(tmpdir(), 'sallyport-e2e-'))
    await symlink(disk.path, join(directory, 'server'))
    await using full = new Stack(directory)
    await full.startServer()
    const { id } = await full.addNode()
    await using shell = await connect(full, [id])
    await using leaving = await connect(full, [id])

    await disk.fill()
    const refused = await expectEventually(
      () => call(full, 'StartSession', { Target: id }),
      answer => answer.status !== 200,
    )
    expect(refused).toMatchObject({
      status: 500,
      code: 'InternalServerError',
      message: 'The server cannot store anything: its disk is full. Nothing was changed.',
    })
    expect(logLines(full, refused.requestId, 'the data directory is full')).toHaveLength(1)
    expect((await call(full, 'DescribeSessions', { State: 'Active' })).status).toBe(200)
    expect(await shell.run('seq 100000 | tail -1')).toBe('100000')
    await leaving.type('exit\r')
    await leaving.terminal.waitFor('logout')

    await disk.free()
    const { status } = await call(full, 'StartSession', { Target: id })
    expect(status).toBe(200)
    await using another = await connect(full, [id])
    expect(await another.run('echo open again')).toBe('open again')
    expect(await shell.run('echo all the time')).toBe('all the time')
    expect(await leaving.ended()).toMatchObject({ status: 0, restored: true })
  })
})

/** Asks until an answer is as wanted: what was there already may have room for the first. */
async function expectEventually<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean): Promise<T> {
  for (let i = 0; i < 100; i++) {
    const answer = await ask()
    if (wanted(answer)) return answer
  }
  throw new Error('never came')
}

/** A file system of a few megabytes in memory. Needs root. */
class SmallDisk implements AsyncDisposable {
  readonly path: string

  static async mount(): Promise<SmallDisk> {
    const disk = new SmallDisk(await mkdtemp(join(tmpdir(), 'sallyport-disk-')))
    const { code, stderr } = await run('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk.path])
    if (code !== 0) throw new Error(stderr)
    return disk
  }

  private constructor(path: string) {
    this.path = path
  }

  /** Leaves no byte of it. */
  async fill(): Promise<void> {
    const { stderr } = await run('dd', ['if=/dev/zero', `of=${this.path}/filler`, 'bs=4096'])
    expect(stderr).toContain('No space left on device')
  }

  async free(): Promise<void> {
    await rm(join(this.path, 'filler'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', ['--lazy', this.path])
    await rm(this.path, { recursive: true })
  }
}

/** By the process that has this among its arguments (proc(5), `wchar` of /proc/<pid>/io). */
function bytesWrittenBy(argument: string): number {
  const pid = readdirSync('/proc').find(
    name => /^\d+$/.test(name) && commandOf(name).split('\0').includes(argument),
  )
  if (pid === undefined) throw new Error(`no process has the argument ${argument}`)
  return Number(/wchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1])
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    // It has ended since it was listed.
    return ''
  }
}

function acknowledgement(numbers: {
  AcknowledgedMessageSequenceNumber: number
  AcknowledgedThrough?: number
}): Uint8Array {
  const payload = acknowledgePayload.encode({
    AcknowledgedMessageType: 'output_stream_data',
    AcknowledgedMessageId: '01234567-89ab-4cde-8f01-23456789abcd',
    ...numbers,
  })
  return frameOf({ messageType: 'acknowledge', payloadType: 0, payload })
}

/** The value of something that changes, once it has not changed for half a second. */
async function settled(measure: () => number): Promise<number> {
  let value = measure()
  for (let since = performance.now(); performance.now() - since < 500; ) {
    await setTimeout(10)
    const now = measure()
    if (now !== value) since = performance.now()
    value = now
  }
  return value
}

async function drained({ connection }: { connection: { readonly bufferedBytes: number } }): Promise<void> {
  await expect.poll(() => connection.bufferedBytes, { timeout: 20_000, interval: 5 }).toBeLessThan(MEGABYTE)
}
