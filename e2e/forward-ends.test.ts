import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect } from './remote-shell.ts'
import { binDirectory, Service, type Stack, startStack } from './stack.ts'
import { dial, readAll, serveTcp } from './tcp-servers.ts'
import { openTerminal, run } from './terminal.ts'

// How forwards and sessions end, and what a person then sees.

const sallyport = `${binDirectory}/sallyport`

let stack: Stack

beforeAll(async () => {
  stack = await startStack()
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

async function createDocument(name: string, content: object): Promise<void> {
  const file = join(stack.directory, `${name}.json`)
  await writeFile(file, JSON.stringify({ schemaVersion: '1.0', ...content }))
  await stack.api(
    'create-document',
    ...['--name', name, '--document-type', 'Session', '--content', `file://${file}`],
  )
}

describe('sallyport forward', () => {
  test('whose session is ended by somebody says which and by whom, the others go on, and it has failed', async () => {
    await using server = await serveTcp(socket => socket.end('hello'))
    const spec = `:${server.port}`
    const service = new Service(sallyport, ['forward', '--json', stack.node.id, spec, spec], stack.env)
    const output = await service.waitForLine(/\}\n\{.*\}$/)
    const [first, second] = output
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    await stack.api('terminate-session', '--session-id', first.SessionId)
    await service.waitForLine(
      new RegExp(`^sallyport: 127.0.0.1:${first.LocalPortNumber}: The session was ended by user/admin\\.$`),
    )
    const socket = await dial({ host: '127.0.0.1', port: second.LocalPortNumber })
    expect((await readAll(socket)).toString()).toBe('hello')
    await expect(dial({ host: '127.0.0.1', port: first.LocalPortNumber })).rejects.toThrow('ECONNREFUSED')
    await service.kill('SIGINT')
    expect(service.exitCode).toBe(1)
  })

  test('to a forbidden destination is never called ready', async () => {
    const spec = ':169.254.169.254:80'
    for (const options of [[], ['--json']]) {
      const { code, stdout, stderr } = await stack.sallyport('forward', ...options, stack.node.id, spec)
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toMatch(
        /^sallyport: 127\.0\.0\.1:\d+: Forwarding to IP address 169\.254\.169\.254 is forbidden\..*\n$/,
      )
    }
  })

  test('leaves a line behind the ^C of the terminal', async () => {
    await using terminal = openTerminal({
      file: sallyport,
      args: ['forward', 'node-1', ':22'],
      env: stack.env,
    })
    await terminal.waitFor('Ctrl-C ends it.\r\n')
    await terminal.send('\x03')
    expect(await terminal.exited).toEqual({ exitCode: 0, signal: null })
    expect(terminal.output()).toMatch(/\^C\r\n$/)
  })

  test('in the background leaves the terminal as the shell wants it', async () => {
    await using shell = openTerminal({
      file: '/bin/bash',
      args: ['--norc', '--noprofile', '-i'],
      env: { ...stack.env, PS1: 'local> ' },
    })
    await shell.waitFor('local> ')
    // It starts while the shell edits a line, for which the terminal has neither echo nor lines.
    await shell.send('sallyport forward node-1 :22 &\r')
    await shell.waitFor('Ctrl-C ends it.')
    await shell.send('kill %1; wait; stty -a; echo modes-$((1))\r')
    const [modes] = await shell.waitFor(/[\s\S]*modes-1/)
    expect(modes).toMatch(/ icanon /)
    expect(modes).not.toMatch(/ -echo /)
  })
})

describe('a document for another command', () => {
  beforeAll(async () => {
    const properties = { portNumber: '22', type: 'LocalPortForwarding' }
    await createDocument('Own-Port', { sessionType: 'Port', properties })
    await createDocument('Own-Shell', {
      sessionType: 'Standard_Stream',
      parameters: { portNumber: { type: 'String' } },
      inputs: {},
    })
  })

  test.each([
    ['connect', [], 'Own-Port', 'Port: use sallyport forward'],
    ['exec', [], 'Own-Port', 'Port: use sallyport forward'],
    ['forward', [':22'], 'Own-Shell', 'Standard_Stream: use sallyport connect'],
    ['ssh-proxy', [], 'Own-Shell', 'Standard_Stream: use sallyport connect'],
  ])('%s says so before anything else', async (command, args, document, type) => {
    await using terminal = openTerminal({
      file: sallyport,
      args: [command, stack.node.id, ...args, '--document-name', document],
      env: stack.env,
      cols: 200,
    })
    expect(await terminal.exited).toEqual({ exitCode: 2, signal: null })
    expect(terminal.output()).toMatch(
      new RegExp(`^sallyport: .*Document ${document} opens a session of type ${type}\\..*\r\n$`),
    )
    const { Sessions } = await stack.api('describe-sessions', '--state', 'Active')
    expect(Sessions).toEqual([])
  })
})

test('a shell that somebody ends leaves the reason on a line of its own, and has failed', async () => {
  await using shell = await connect(stack)
  await stack.api('terminate-session', '--session-id', shell.sessionId)
  const { status, said } = await shell.ended()
  expect(status).toBe(1)
  expect(said).toMatch(/\r\nsallyport: The session was ended by user\/admin\.\r\n/)
})

test('the list of sessions fits a terminal of 100 columns, and its ids are good to end them by', async () => {
  await using shell = await connect(stack, [stack.node.id, '--reason', 'to see why it was empty on Monday'])
  await using terminal = openTerminal({ file: sallyport, args: ['sessions'], env: stack.env, cols: 100 })
  await terminal.exited
  const lines = terminal.output().trimEnd().split('\r\n')
  expect(lines).toHaveLength(2)
  expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(100)
  const [shown = ''] = lines[1]?.split(' ') ?? []
  expect(shown).not.toBe(shell.sessionId)
  const { code, stderr } = await run(sallyport, ['sessions', 'end', shown], { env: stack.env })
  expect({ code, stderr }).toEqual({ code: 0, stderr: `Ended ${shell.sessionId}\n` })
  await shell.ended()
})
