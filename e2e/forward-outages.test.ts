import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OpenSsh, openSsh } from '../bench/openssh.ts'
import { ChaosProxy } from './chaos-proxy.ts'
import { aws2 } from './remote-shell.ts'
import { binDirectory, Service, type Stack, startStack } from './stack.ts'
import { dial, readAll, serveTcp } from './tcp-servers.ts'
import { run } from './terminal.ts'

// A TCP connection outlives the websockets that carry it, and the server: both ends keep what was not acknowledged,
// and nothing is lost, doubled or out of place.

const sallyport = `${binDirectory}/sallyport`
const CUTS = 10

let stack: Stack
let toClient: ChaosProxy
let toAgent: ChaosProxy
let scratch: string

beforeAll(async () => {
  stack = await startStack({ nodes: 0 })
  toClient = await ChaosProxy.to(stack.httpsPort)
  toAgent = await ChaosProxy.to(stack.httpsPort)
  await stack.addNode('distant', { endpoint: toAgent.endpoint })
  scratch = await mkdtemp(join(tmpdir(), 'sallyport-outages-'))
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
  await toClient?.[Symbol.asyncDispose]()
  await toAgent?.[Symbol.asyncDispose]()
  if (scratch) await rm(scratch, { recursive: true })
})

const environment = () => ({ ...stack.env, SALLYPORT_ENDPOINT_URL: toClient.endpoint })

/**
 * Ten cuts of each side's websocket, spread over the bytes of the transfer, so that none can come behind its end;
 * and, between them, a crash of the server. What is expected of `transfer` is then expected as if nothing had been.
 */
async function throughOutages<T>(bytes: number, transfer: () => Promise<T>): Promise<T> {
  const [clients = 0, agents = 0] = [toClient.accepted, toAgent.accepted]
  toClient.cutEvery(bytes / (CUTS + 1), CUTS)
  // Not at the same moments.
  toAgent.cutEvery(bytes / (CUTS + 1.5), CUTS)
  let over = false
  const transferred = transfer().finally(() => {
    over = true
  })
  const crashed = (async () => {
    const due = () => over || toClient.cuts > CUTS / 3
    await expect.poll(due, { interval: 5, timeout: 30_000 }).toBe(true)
    expect(over).toBe(false)
    await stack.server.kill('SIGKILL')
    await stack.startServer()
    // The other cuts come as bytes do, so it was in the middle.
    expect(toClient.cuts).toBeLessThan(CUTS)
  })()
  const [result] = await Promise.all([transferred, crashed])
  expect([toClient.cuts, toAgent.cuts]).toEqual([CUTS, CUTS])
  expect(toClient.accepted - clients).toBeGreaterThanOrEqual(CUTS)
  expect(toAgent.accepted - agents).toBeGreaterThanOrEqual(CUTS)
  return result
}

const TROUBLE = `while the server is killed and both sides’ websockets are cut ${CUTS} times`

describe.each([
  ['sallyport forward', 200_000_000, sallyportForward],
  ['the aws CLI with our plugin', 50_000_000, awsForward],
])('%s', (_, size, open) => {
  const data = randomBytes(size)

  test(`brings ${size / 1e6} MB, ${TROUBLE}`, async () => {
    await using server = await serveTcp(socket => socket.end(data))
    await using forward = await open(server.port)
    const socket = await dial({ host: '127.0.0.1', port: forward.port })
    const arrived = await throughOutages(size, () => digestOf(socket))
    expect(arrived).toBe(sha256(data))
  })

  test(`takes ${size / 1e6} MB there, ${TROUBLE}`, async () => {
    await using server = await serveTcp(async socket => socket.end(await digestOf(socket)))
    await using forward = await open(server.port)
    const socket = await dial({ host: '127.0.0.1', port: forward.port })
    const arrived = await throughOutages(size, async () => {
      socket.end(data)
      return await readAll(socket)
    })
    expect(arrived.toString()).toBe(sha256(data))
  })
})

type Forward = AsyncDisposable & { port: number }

async function sallyportForward(port: number): Promise<Forward> {
  const service = new Service(sallyport, ['forward', 'distant', `:${port}`], environment())
  return await opened(service, /^Forwarding 127\.0\.0\.1:(\d+) /)
}

async function awsForward(port: number): Promise<Forward> {
  const what = ['--target', stack.node.id, '--document-name', 'AWS-StartPortForwardingSession']
  const parameters = ['--parameters', `portNumber=${port},localPortNumber=0`]
  const call = ['ssm', 'start-session', ...what, ...parameters, '--endpoint-url', toClient.endpoint]
  return await opened(new Service(aws2, call, environment()), /^Port (\d+) opened/)
}

async function opened(service: Service, line: RegExp): Promise<Forward> {
  const output = await service.waitForLine(line)
  return {
    port: Number(new RegExp(line, 'm').exec(output)?.[1]),
    [Symbol.asyncDispose]: () => service.stop(),
  }
}

describe('sallyport ssh-proxy', () => {
  let sshd: OpenSsh

  beforeAll(async () => {
    sshd = await openSsh(userInfo().username)
  })

  afterAll(async () => {
    await sshd?.[Symbol.asyncDispose]()
  })

  test.each([
    ['to', (here: string, there: string) => [here, `node:${there}`]],
    ['from', (here: string, there: string) => [`node:${here}`, there]],
  ])(`lets scp copy 50 MB %s the node, ${TROUBLE}`, async (direction, files) => {
    const data = randomBytes(50_000_000)
    const [source, copy] = [join(scratch, direction), join(scratch, `${direction}-copy`)]
    await writeFile(source, data)
    const options = ['-F', sshd.configuration, '-o', `ProxyCommand=${sallyport} ssh-proxy distant %p`]
    const copied = await throughOutages(data.length, () =>
      run('scp', ['-q', ...options, ...files(source, copy)], { env: environment(), timeoutMs: 50_000 }),
    )
    expect(copied).toMatchObject({ code: 0, stderr: '' })
    expect(sha256(await readFile(copy))).toBe(sha256(data))
  })
})

async function digestOf(stream: Readable): Promise<string> {
  const hash = createHash('sha256')
  stream.on('data', chunk => hash.update(chunk))
  await once(stream, 'end')
  return hash.digest('hex')
}

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}
