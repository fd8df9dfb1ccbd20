import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { frame } from '@sallyport/protocol/smux/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Bystanders } from './bystanders.ts'
import { expectEnd, growth, HostileClient, type HostileClientOptions } from './hostile-client.ts'
import { logLines } from './hostile-peer.ts'
import { type Stack, startStack } from './stack.ts'
import { freePort, serveTcp, type TestServer } from './tcp-servers.ts'

// Clients that are let into a session and then keep to no order: in the handshake, in the types of what they send, in
// what they ask for and never take. Nothing they say ends anything but their own session.

const MEBIBYTE = 1024 * 1024
/** What may come on top of the memory of a process, whatever is thrown at it. */
const MEMORY = 120 * MEBIBYTE
const INPUT_WINDOW = MEBIBYTE
const INPUT_STEP = 128 * 1024
const LEAST_TERMS = { payload: 1024, window: 262_144 }

let stack: Stack
let scratch: string
let bystanders: Bystanders
let echo: TestServer
/** Who have not answered the handshake since the beginning: the agent's patience is 15 s. */
let silent: HostileClient[]

beforeAll(async () => {
  stack = await startStack()
  scratch = await mkdtemp(join(tmpdir(), 'sallyport-hostile-'))
  echo = await serveTcp(socket => socket.pipe(socket))
  silent = await Promise.all([
    command(`touch ${scratch}/command`, { silent: true }),
    ssh(echo.port, { silent: true }),
    HostileClient.open(stack, stack.node.id, {
      document: 'AWS-StartInteractiveCommand',
      parameters: { command: [`touch ${scratch}/terminal`] },
      silent: true,
    }),
  ])
  bystanders = await Bystanders.at(stack)
})

afterEach(() => bystanders.expectUndisturbed())

afterAll(async () => {
  await bystanders?.[Symbol.asyncDispose]()
  await echo?.[Symbol.asyncDispose]()
  await stack?.[Symbol.asyncDispose]()
  await rm(scratch, { recursive: true })
})

function command(line: string, options: Partial<HostileClientOptions> = {}): Promise<HostileClient> {
  const document = 'AWS-StartNonInteractiveCommand'
  return HostileClient.open(stack, stack.node.id, { document, parameters: { command: [line] }, ...options })
}

function ssh(port: number, options: Partial<HostileClientOptions> = {}): Promise<HostileClient> {
  const parameters = { portNumber: [String(port)] }
  return HostileClient.open(stack, stack.node.id, { document: 'AWS-StartSSHSession', parameters, ...options })
}

function forward(port: number, options: Partial<HostileClientOptions> = {}): Promise<HostileClient> {
  const parameters = { portNumber: [String(port)] }
  const document = 'AWS-StartPortForwardingSession'
  return HostileClient.open(stack, stack.node.id, { document, parameters, ...options })
}

const text = (client: HostileClient) => Buffer.concat(client.output).toString()

async function expectOutput(client: HostileClient, output: string): Promise<void> {
  await client.until(() => client.over || text(client).length >= output.length)
  expect(text(client)).toBe(output)
}

describe('an answer to the handshake', () => {
  const answer = (...actions: object[]) =>
    Buffer.from(JSON.stringify({ ClientVersion: '1.2.0.0', ProcessedClientActions: actions, Errors: null }))
  const typed = { ActionType: 'SessionType', ActionStatus: 1, ActionResult: null, Error: '' }
  const terms = (MaximumPayload: unknown, Window: unknown) =>
    answer(typed, { ActionType: 'Sallyport/1', ActionStatus: 1, ActionResult: { MaximumPayload, Window } })

  test.each<[string, Uint8Array, RegExp]>([
    ['no JSON', Buffer.from('yes'), /JSON/],
    ['JSON that goes a long way down', Buffer.from('['.repeat(60_000)), /JSON/],
    ['not to what was asked', answer(), /did not answer the SessionType action/],
    ['too long', answer(...Array.from({ length: 17 }, () => typed)), /at most 16 actions/],
    ['a payload of nothing', terms(0, MEBIBYTE), /^Sallyport\/1 with a payload of 0/],
    ['a payload below nothing', terms(-1, -1), /^Sallyport\/1 with a payload of -1/],
    ['a window that one message fills', terms(65_536, 65_536), /a window of 65536 bytes$/],
    ['a window that is text', terms(1024, '262144'), /Window/],
    ['an object', answer(typed, { ActionType: 'Sallyport/1', ActionStatus: 1, ActionResult: {} }), /Maximum/],
    [
      'no, for a reason of escapes',
      answer({ ...typed, ActionStatus: 2, Error: `\x1b]0;owned\x07${'x'.repeat(50_000)}` }),
      /SessionType failed on client with status 2 error: \x1b\]0;owned/,
    ],
  ])('that is %s ends the session, with the reason', async (_, payload, reason) => {
    const client = await ssh(echo.port, { silent: true })
    client.answer(payload)
    await expectEnd(stack, client, reason)
  })

  test.each([
    ['more than any memory has', terms(1e308, 1e308)],
    ['fractions', terms(1024.7, 262_144.2)],
  ])('with terms of %s is cut to what can be', async (_, payload) => {
    const client = await ssh(echo.port, { silent: true })
    client.answer(payload)
    const large = 'x'.repeat(50_000)
    await client.send(Buffer.from(large))
    await expectOutput(client, large)
    client.leave()
  })

  test('that comes twice, and then says no, counts once', async () => {
    const client = await ssh(echo.port)
    client.answer(answer({ ...typed, ActionStatus: 2, Error: 'after all not' }))
    client.answer(terms(1, 1))
    await client.send(Buffer.from('hello'))
    await expectOutput(client, 'hello')
    client.leave()
  })
})

describe('what the session is not for', () => {
  const types = [0, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 255, 0xffffffff]
  const junk = [Buffer.alloc(0), Buffer.from('{"cols":-1,"rows":1e9}'), Buffer.alloc(50_000, 'x')]

  test.each([
    ['a connection', () => ssh(echo.port)],
    ['a command', () => command('cat')],
  ])('is nothing to %s', async (_, open) => {
    const client = await open()
    for (const type of types) for (const payload of junk) client.channel.sendWhole(type, payload)
    for (const flag of [0, 1, 3, 4, 255, 261, 262, 0xffffffff]) client.flag(flag)
    await client.send(Buffer.from('hello'))
    await expectOutput(client, 'hello')
    client.leave()
  })

  test.each([0, 3, 5, 60_000])('a flag of %d bytes costs its sender the connection', async size => {
    const client = await forward(echo.port)
    client.channel.sendWhole(PayloadType.flag, new Uint8Array(size))
    expect(await client.ended).toBe(`a Flag has 4 bytes, this one ${size}`)
    expect(logLines(stack, client.sessionId, 'protocol violation')).toHaveLength(1)
  })
})

describe('a command', () => {
  test('that is sent 20,000 signals goes on, and ends by the one that it does not ignore', async () => {
    const client = await command(`sh -c 'trap "" INT QUIT HUP; echo ready; exec cat'`)
    await expectOutput(client, 'ready\n')
    for (let i = 0; i < 20_000; i++) {
      client.flag([PayloadFlag.interrupt, PayloadFlag.quit, PayloadFlag.hangUp][i % 3] ?? 0)
      // Waits for room.
      if (i % 500 === 0) await client.send(new Uint8Array(0))
    }
    await client.send(Buffer.from('a line\n'))
    await expectOutput(client, 'ready\na line\n')
    client.flag(PayloadFlag.terminate)
    await client.until(() => client.exitCode !== '')
    expect(client.exitCode).toBe('EXIT_CODE: 143')
  })

  test('that was told of the end of its input twice gets nothing behind the first', async () => {
    const client = await command('cat')
    await client.send(Buffer.from('before'))
    client.flag(PayloadFlag.endOfInput)
    client.flag(PayloadFlag.endOfInput)
    await client.send(Buffer.from('behind'))
    client.flag(PayloadFlag.endOfInput)
    await client.until(() => client.exitCode !== '')
    expect(text(client)).toBe('before')
    expect(client.exitCode).toBe('EXIT_CODE: 0')
  })

  test('whose client sends more than it was asked for is over', async () => {
    const client = await command('sleep 1000', { acknowledges: false })
    const grown = await growth(stack, async () => {
      for (let i = 0; i < 1_000; i++) if (!(await client.send(Buffer.alloc(50_000)))) break
    })
    await expectEnd(stack, client, /^The client sent more input than it was asked for\.$/)
    expect(grown.agent).toBeLessThan(MEMORY)
  })

  test('whose client acknowledges nothing is over when it has said twice as much as may wait', async () => {
    const client = await command(`sh -c 'yes & exec cat >/dev/null'`, {
      terms: LEAST_TERMS,
      acknowledges: false,
    })
    const piece = Buffer.alloc(60_000)
    for (let sent = piece.length; !client.over; sent += piece.length) {
      await client.until(() => client.over || sent < INPUT_WINDOW + client.flags.length * INPUT_STEP)
      await client.send(piece)
    }
    await expectEnd(stack, client, /^the peer has not acknowledged \d+ bytes$/)
  })
})

describe('a connection', () => {
  test('that is full of what nobody takes holds up nobody', async () => {
    await using source = await serveTcp(socket => {
      socket.on('error', () => {})
      socket.write(Buffer.alloc(64 * MEBIBYTE))
    })
    for (const terms of [LEAST_TERMS, undefined, 'stock'] as const) {
      const options = { acknowledges: false, ...(terms && { terms }) }
      const grown = await growth(stack, async () => {
        const client = await ssh(source.port, options)
        await client.until(() => client.outputBytes > 50_000)
        await bystanders.expectUndisturbed()
        expect(client.outputBytes).toBeLessThan(4 * MEBIBYTE)
        client.leave()
      })
      expect(grown.server).toBeLessThan(MEMORY)
      expect(grown.agent).toBeLessThan(MEMORY)
    }
  })

  test('of streams that are all full of what nobody takes, too', async () => {
    await using source = await serveTcp(socket => {
      socket.on('error', () => {})
      socket.write(Buffer.alloc(MEBIBYTE))
    })
    const grown = await growth(stack, async () => {
      const client = await forward(source.port, { acknowledges: false })
      for (let i = 0; i < 500; i++) await client.send(frame(2, 'syn', 3 + 2 * i))
      await client.until(() => client.outputBytes > MEBIBYTE / 2)
      await bystanders.expectUndisturbed()
      client.leave()
    })
    expect(grown.server).toBeLessThan(MEMORY)
    expect(grown.agent).toBeLessThan(MEMORY)
  })
})

test('who never answers the handshake gets nothing done, and is told after 15 s', async () => {
  for (const client of silent) {
    for (const type of [PayloadType.output, PayloadType.size, PayloadType.flag]) {
      client.channel.sendWhole(type, Buffer.from([0, 0, 0, 2]))
    }
  }
  for (const client of silent) {
    await expectEnd(stack, client, /^Handshake timed out: the client did not answer within 15 s\.$/)
    expect(client.outputBytes).toBe(0)
  }
  expect([existsSync(`${scratch}/command`), existsSync(`${scratch}/terminal`)]).toEqual([false, false])
})

test('who does not acknowledge a session that failed keeps it for 30 s and no longer, whatever they go on saying', {
  timeout: 60_000,
}, async () => {
  const client = await ssh(await freePort(), { acknowledges: false })
  const size = Buffer.from('{"cols":80,"rows":24}')
  const saying = setInterval(() => client.channel.sendWhole(PayloadType.size, size), 1_000)
  await expectEnd(stack, client, /^Unable to connect to specified port: .*connection refused/)
  clearInterval(saying)
})
