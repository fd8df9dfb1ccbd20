import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { aws1, aws2 } from './remote-shell.ts'
import { binDirectory, Service, type Stack, startStack } from './stack.ts'
import { dial, download, freePort, readAll, serveHttp, serveTcp } from './tcp-servers.ts'
import { openTerminal, run } from './terminal.ts'

// Ports of a node as ports of the person's own machine: with `sallyport forward`, and with the aws CLI and our plugin.

const sallyport = `${binDirectory}/sallyport`
const MIB = 1024 * 1024

let stack: Stack
const services = new Set<Service>()

beforeAll(async () => {
  stack = await startStack()
})

afterEach(async () => {
  for (const service of services) await service.stop()
  services.clear()
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

function forward(...args: string[]): Service {
  const service = new Service(sallyport, ['forward', stack.node.id, ...args], stack.env)
  services.add(service)
  return service
}

function awsArguments(document: string, parameters: string): string[] {
  const what = ['--target', stack.node.id, '--document-name', document, '--parameters', parameters]
  return ['ssm', 'start-session', ...what, '--endpoint-url', stack.endpoint]
}

function awsForward(
  parameters: string,
  { document = 'AWS-StartPortForwardingSession', aws = aws2 } = {},
): Service {
  const service = new Service(aws, awsArguments(document, parameters), stack.env)
  services.add(service)
  return service
}

/** The port that was chosen for `:PORT`. */
async function portOf(service: Service): Promise<number> {
  const output = await service.waitForLine(/^Forwarding 127\.0\.0\.1:\d+ → .*$/)
  return Number(/^Forwarding 127\.0\.0\.1:(\d+)/m.exec(output)?.[1])
}

async function activeSessions(): Promise<string[]> {
  const { Sessions } = await stack.api('describe-sessions', '--state', 'Active')
  return Sessions.map((session: { SessionId: string }) => session.SessionId)
}

/** Something else for every path, and the same each time. */
const contentOf = (path: string) => Buffer.alloc(MIB, createHash('sha512').update(path).digest())

const serveContent = () => serveHttp((request, response) => response.end(contentOf(request.url ?? '')))

describe('sallyport forward', () => {
  test('brings 50 downloads at once to the byte, and says which port it has chosen', async () => {
    await using server = await serveContent()
    const service = forward(`:${server.port}`)
    const port = await portOf(service)
    expect(service.output).toContain(
      `Forwarding 127.0.0.1:${port} → ${stack.node.id} port ${server.port}. Ctrl-C ends it.`,
    )
    const names = Array.from({ length: 50 }, (_, i) => `/${i}`)
    const bodies = await Promise.all(names.map(name => download(`http://127.0.0.1:${port}${name}`)))
    for (const [i, body] of bodies.entries()) expect(body.equals(contentOf(`/${i}`))).toBe(true)
    // Over the other loopback address, with a real program.
    const { code, stdout } = await run('curl', ['-sg', `http://[::1]:${port}/v6`])
    expect(code).toBe(0)
    expect(stdout.length).toBe(contentOf('/v6').toString('utf8').length)
  })

  test('takes several forwards, ends them all with Ctrl-C and exit status 0, and leaves no session', async () => {
    await using server = await serveContent()
    const local = await freePort()
    const specs = [`${local}:${server.port}`, `:localhost:${server.port}`]
    await using terminal = openTerminal({
      file: sallyport,
      args: ['forward', 'node-1', ...specs],
      env: stack.env,
    })
    await terminal.waitFor(`Forwarding 127.0.0.1:${local} → node-1 port ${server.port}.`)
    const [, other] = await terminal.waitFor(
      new RegExp(`Forwarding 127.0.0.1:(\\d+) → localhost:${server.port} through node-1`),
    )
    for (const port of [local, other]) {
      expect((await download(`http://127.0.0.1:${port}/x`)).equals(contentOf('/x'))).toBe(true)
    }
    expect(await activeSessions()).toHaveLength(2)
    await terminal.send('\x03')
    expect(await terminal.exited).toEqual({ exitCode: 0, signal: null })
    expect(await activeSessions()).toEqual([])
  })

  test('tells a program in JSON where it listens, and nothing else on standard output', async () => {
    const service = forward('--json', ':22')
    const line = await service.waitForLine(/^\{.*\}$/)
    expect(JSON.parse(line)).toEqual({
      SessionId: expect.any(String),
      Target: stack.node.id,
      LocalAddress: '127.0.0.1',
      LocalPortNumber: expect.any(Number),
      PortNumber: 22,
    })
    await service.kill('SIGINT')
    expect(service.output).toBe(line)
  })

  test('fails at once where the port is busy, says who has it, and starts nothing', async () => {
    await using busy = await serveTcp(() => {})
    const { code, stderr, stdout } = await stack.sallyport('forward', stack.node.id, ':80', `${busy.port}:80`)
    expect(code).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toMatch(`Cannot listen on 127.0.0.1:${busy.port}: port ${busy.port} is in use by `)
    expect(stderr).toContain(`(pid ${process.pid})`)
    expect(await activeSessions()).toEqual([])
  })

  test('names host and port of a connection that the node cannot make, once, and goes on', async () => {
    const closed = await freePort()
    await using server = await serveContent()
    const service = forward(`:${closed}`, `:localhost:${server.port}`)
    // In either order.
    await service.waitForLine(/ → \S+ port/)
    await service.waitForLine(/ → localhost/)
    const [, port] = /127\.0\.0\.1:(\d+) → \S+ port/.exec(service.output) ?? []
    for (let i = 0; i < 3; i++)
      await expect(download(`http://127.0.0.1:${port}/`)).rejects.toThrow('ECONNRESET')
    await service.waitForLine(/cannot connect to/)
    expect(service.output.match(/cannot connect/g)).toHaveLength(1)
    expect(service.output).toMatch(new RegExp(`\\[The node cannot connect to localhost:${closed}: .*refused`))
    const [, good] = /127\.0\.0\.1:(\d+) → localhost/.exec(service.output) ?? []
    expect((await download(`http://127.0.0.1:${good}/y`)).equals(contentOf('/y'))).toBe(true)
  })

  test('carries the end of one direction, and answers that come after it', async () => {
    await using server = await serveTcp(async socket => {
      const hash = createHash('sha256')
        .update(await readAll(socket))
        .digest('hex')
      socket.end(hash)
    })
    const service = forward(`:${server.port}`)
    const socket = await dial({ host: '127.0.0.1', port: await portOf(service) })
    const sent = randomBytes(3 * MIB + 1)
    socket.end(sent)
    expect((await readAll(socket)).toString()).toBe(createHash('sha256').update(sent).digest('hex'))
  })

  test('carries a reset, both ways', async () => {
    const resets: unknown[] = []
    await using server = await serveTcp(socket => {
      socket.on('error', error => resets.push((error as NodeJS.ErrnoException).code))
      socket.on('data', data => {
        if (data.toString() === 'reset me') socket.resetAndDestroy()
        else socket.write('ready')
      })
    })
    const service = forward(`:${server.port}`)
    const port = await portOf(service)
    const mine = await dial({ host: '127.0.0.1', port })
    mine.write('reset me')
    const [error] = await once(mine, 'error')
    expect(error.code).toBe('ECONNRESET')
    const theirs = await dial({ host: '127.0.0.1', port })
    theirs.write('hello')
    await once(theirs, 'data')
    theirs.resetAndDestroy()
    await expect.poll(() => resets).toContain('ECONNRESET')
  })

  test('takes connections on a Unix socket that is the person’s alone, and removes it', async () => {
    await using server = await serveContent()
    const path = join(stack.directory, 'web.sock')
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const service = forward('--socket', path, String(server.port))
      await service.waitForLine(/^Forwarding .*web\.sock → /)
      expect((await stat(path)).mode & 0o777).toBe(0o600)
      const { code } = await run('curl', ['-sf', '-o', '/dev/null', '--unix-socket', path, 'http://node/'])
      expect(code).toBe(0)
      await service.kill(signal)
      expect(existsSync(path)).toBe(false)
    }
  })

  test('goes on where the server is restarted in the middle of a download', async () => {
    const size = 24 * MIB
    const sent = randomBytes(size)
    await using server = await serveTcp(socket => socket.end(sent))
    const service = forward(`:${server.port}`)
    const socket = await dial({ host: '127.0.0.1', port: await portOf(service) })
    const hash = createHash('sha256')
    let received = 0
    let restarted: Promise<void> | undefined
    for await (const chunk of socket) {
      hash.update(chunk)
      received += chunk.length
      restarted ??= stack.server.kill('SIGKILL').then(() => stack.startServer())
      await restarted
    }
    expect(received).toBe(size)
    expect(hash.digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'))
  })

  test.each([
    [['8080:nowhere'], 2, '"8080:nowhere" is not what to forward'],
    [['--socket', '/tmp/x', '1', '2'], 2, 'One Unix socket has one target'],
  ])('%j is explained', async (args, status, reason) => {
    const { code, stderr } = await stack.sallyport('forward', stack.node.id, ...args)
    expect(code).toBe(status)
    expect(stderr).toContain(reason)
  })
})

describe.each([
  ['2', aws2],
  ['1', aws1],
])('aws CLI %s with our plugin', (_, aws = '') => {
  const testWithAws = test.runIf(aws !== '')

  testWithAws.each([
    (port: number, local: number) => `{"portNumber":["${port}"],"localPortNumber":["${local}"]}`,
    (port: number, local: number) => `portNumber=${port},localPortNumber=${local}`,
  ])('brings a web site to the port that was asked for, and says so in AWS’s words', async spelling => {
    await using server = await serveContent()
    const local = await freePort()
    const service = awsForward(spelling(server.port, local), { aws })
    const output = await service.waitForLine(/^Waiting for connections\.\.\.$/)
    const [, id] = /^Starting session with SessionId: (\S+)$/m.exec(output) ?? []
    expect(output).toContain(`\nPort ${local} opened for sessionId ${id}.\nWaiting for connections...\n`)
    const bodies = await Promise.all(
      Array.from({ length: 8 }, (_, i) => download(`http://localhost:${local}/${i}`)),
    )
    for (const [i, body] of bodies.entries()) expect(body.equals(contentOf(`/${i}`))).toBe(true)
    await service.waitForLine(/^Connection accepted for session/)
    expect(service.output.match(/Connection accepted for session \[/g)).toHaveLength(1)
    // As a wrapper does that has had enough: the plugin notices, and ends the session.
    await service.kill('SIGKILL')
    await expect.poll(activeSessions, { timeout: 10_000 }).toEqual([])
  })
})

describe('aws CLI with our plugin', () => {
  test('ends with Ctrl-C, an exit status of 0, and no session', async () => {
    await using terminal = openTerminal({
      file: aws2,
      args: awsArguments(
        'AWS-StartPortForwardingSessionToRemoteHost',
        'host=localhost,portNumber=22,localPortNumber=0',
      ),
      env: stack.env,
    })
    const [, port, id] = await terminal.waitFor(
      /Port ([1-9]\d*) opened for sessionId (\S+)\.\r\nWaiting for conn/,
    )
    expect(Number(port)).toBeGreaterThan(0)
    await terminal.send('\x03')
    await terminal.waitFor('Terminate signal received, exiting.\r\n')
    await terminal.waitFor(`Exiting session with sessionId: ${id}.`)
    expect(await terminal.exited).toEqual({ exitCode: 0, signal: null })
    expect(await activeSessions()).toEqual([])
  })

  test('fails at once where the port is busy, says so, and leaves no session', async () => {
    await using busy = await serveTcp(() => {})
    const args = awsArguments('AWS-StartPortForwardingSession', `portNumber=80,localPortNumber=${busy.port}`)
    const { code, stdout } = await run(aws2, args, { env: stack.env })
    expect(code).not.toBe(0)
    expect(stdout).toMatch(/SessionId: \S+ : Cannot listen on /)
    expect(stdout).toContain(`port ${busy.port} is in use by `)
    expect(await activeSessions()).toEqual([])
  })

  test('listens on a Unix socket', async () => {
    await using server = await serveContent()
    const path = join(stack.directory, 'aws.sock')
    const service = awsForward(`portNumber=${server.port},localUnixSocket=${path}`, {
      document: 'AWS-StartPortForwardingSessionToSocket',
    })
    await service.waitForLine(/^Unix socket \S+aws\.sock opened for sessionId \S+\.$/)
    const { code } = await run('curl', ['-sf', '-o', '/dev/null', '--unix-socket', path, 'http://node/'])
    expect(code).toBe(0)
    await service.kill('SIGKILL')
    await expect.poll(() => existsSync(path), { timeout: 10_000 }).toBe(false)
  })
})
