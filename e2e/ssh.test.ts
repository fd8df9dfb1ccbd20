import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OpenSsh, openSsh } from '../bench/openssh.ts'
import { aws2 } from './remote-shell.ts'
import { binDirectory, type Stack, startStack } from './stack.ts'
import { freePort, readAll, serveTcp } from './tcp-servers.ts'
import { run } from './terminal.ts'

// OpenSSH's own programs, through the node, with what people put into ProxyCommand.

const sallyport = `${binDirectory}/sallyport`
const MIB = 1024 * 1024

let stack: Stack
let sshd: OpenSsh
/** Both sides' files, each in a folder of its own. */
let here: string
let there: string

beforeAll(async () => {
  stack = await startStack()
  sshd = await openSsh(userInfo().username)
  here = await mkdtemp(join(tmpdir(), 'sallyport-here-'))
  there = await mkdtemp(join(tmpdir(), 'sallyport-there-'))
  await makeTree(join(here, 'tree'))
  await makeTree(join(there, 'tree'))
})

afterAll(async () => {
  await sshd?.[Symbol.asyncDispose]()
  await stack?.[Symbol.asyncDispose]()
  for (const folder of [here, there]) if (folder) await rm(folder, { recursive: true, force: true })
})

/** Files of every kind that has ever been damaged on its way. */
async function makeTree(root: string): Promise<void> {
  await mkdir(join(root, 'a folder/below'), { recursive: true })
  const files: Array<[name: string, content: Uint8Array]> = [
    ['large', randomBytes(3 * MIB + 17)],
    ['empty', new Uint8Array(0)],
    ['a folder/line feeds', new Uint8Array(100_000).fill(10)],
    ['a folder/below/every byte', Uint8Array.from({ length: 4096 }, (_, i) => i & 0xff)],
  ]
  for (const [name, content] of files) await writeFile(join(root, name), content)
}

const environment = () => ({ ...stack.env, HOME: here })

async function succeed(file: string, args: string[], input?: string | Uint8Array) {
  const result = await run(file, args, { env: environment(), timeoutMs: 50_000, ...(input ? { input } : {}) })
  expect({ code: result.code, stderr: result.stderr }).toEqual({ code: 0, stderr: '' })
  return result.stdout
}

const expectSame = async (a: string, b: string) => expect(await succeed('diff', ['-r', a, b])).toBe('')

async function activeSessions(): Promise<unknown[]> {
  return (await stack.api('describe-sessions', '--state', 'Active')).Sessions
}

describe.each([
  [
    'aws ssm start-session',
    () =>
      `${aws2} ssm start-session --target ${stack.node.id} --document-name AWS-StartSSHSession --parameters portNumber=%p --endpoint-url ${stack.endpoint}`,
  ],
  // By the node's name.
  ['sallyport ssh-proxy', () => `${sallyport} ssh-proxy %h %p`],
])('through %s', (_, proxyCommand) => {
  const options = () => {
    const given = ['HostName=node-1', `ProxyCommand=${proxyCommand()}`]
    return ['-F', sshd.configuration, ...given.flatMap(option => ['-o', option])]
  }
  const host = 'node'
  const target = (name: string) => join(there, name)

  test('ssh runs a command, with its input, its output apart from its errors, and its exit status', async () => {
    const input = randomBytes(2 * MIB)
    const digest = createHash('sha256').update(input).digest('hex')
    expect(await succeed('ssh', [...options(), host, 'sha256sum'], input)).toBe(`${digest}  -\n`)
    const { code, stdout, stderr } = await run(
      'ssh',
      [...options(), host, 'echo out; echo err >&2; exit 7'],
      {
        env: environment(),
      },
    )
    expect({ code, stdout, stderr }).toEqual({ code: 7, stdout: 'out\n', stderr: 'err\n' })
  })

  test('scp -r copies a tree there and back', async () => {
    await succeed('scp', ['-q', '-r', ...options(), join(here, 'tree'), `${host}:${target('scp')}`])
    await expectSame(join(here, 'tree'), target('scp'))
    await succeed('scp', ['-q', '-r', ...options(), `${host}:${join(there, 'tree')}`, join(here, 'scp')])
    await expectSame(join(there, 'tree'), join(here, 'scp'))
    for (const copy of [target('scp'), join(here, 'scp')]) await rm(copy, { recursive: true })
  })

  test('sftp puts and gets', async () => {
    const batch = `put "${join(here, 'tree/large')}" "${target('put')}"\nget "${join(there, 'tree/large')}" "${join(here, 'got')}"\n`
    await succeed('sftp', ['-q', ...options(), '-b', '-', host], batch)
    await expectSame(join(here, 'tree/large'), target('put'))
    await expectSame(join(there, 'tree/large'), join(here, 'got'))
  })

  test('rsync copies a tree there and back', async () => {
    const shell = ['ssh', ...options()].map(word => `'${word}'`).join(' ')
    await succeed('rsync', ['-a', '-e', shell, `${join(here, 'tree')}/`, `${host}:${target('rsync')}/`])
    await expectSame(join(here, 'tree'), target('rsync'))
    await succeed('rsync', ['-a', '-e', shell, `${host}:${join(there, 'tree')}/`, `${join(here, 'rsync')}/`])
    await expectSame(join(there, 'tree'), join(here, 'rsync'))
    for (const copy of [target('rsync'), join(here, 'rsync')]) await rm(copy, { recursive: true })
  })

  test('nothing is left running', async () => {
    await expect.poll(activeSessions, { timeout: 10_000 }).toEqual([])
  })
})

describe('sallyport ssh-proxy', () => {
  const proxy = (port: number) => ['ssh-proxy', 'node-1', String(port)]

  test('gives the connection’s bytes and nothing else, and hands on the end of its input', async () => {
    await using server = await serveTcp(async socket => {
      socket.write('banner\r\n')
      socket.end(
        createHash('sha256')
          .update(await readAll(socket))
          .digest(),
      )
    })
    const input = randomBytes(MIB)
    const child = spawn(sallyport, proxy(server.port), {
      env: { ...process.env, ...stack.env },
      stdio: 'pipe',
    })
    const exited = once(child, 'exit')
    child.stdin.end(input)
    const [out, err] = await Promise.all([readAll(child.stdout), readAll(child.stderr)])
    const digest = createHash('sha256').update(input).digest()
    expect(out.equals(Buffer.concat([Buffer.from('banner\r\n'), digest]))).toBe(true)
    expect(err.toString()).toBe('')
    expect(await exited).toEqual([0, null])
  })

  test('says on standard error which port does not answer', async () => {
    const closed = await freePort()
    const { code, stdout, stderr } = await stack.sallyport(...proxy(closed))
    expect(code).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toMatch(new RegExp(`^sallyport: .*localhost:${closed}.*refused`))
  })

  test.each([
    ['its parent is killed', async (_: () => void, parent: () => void) => parent()],
    ['nobody reads its output', async (closeOutput: () => void) => closeOutput()],
  ])('ends the session when %s', async (_, end) => {
    let gone: Promise<unknown> | undefined
    await using server = await serveTcp(socket => {
      gone = once(socket, 'close')
      const timer = setInterval(() => socket.write('tick\n'), 50)
      socket.on('close', () => clearInterval(timer))
      socket.resume()
      socket.on('end', () => socket.end())
    })
    // Not by exec: the proxy is a child of the shell, whose input stays open.
    const child = spawn('/bin/sh', ['-c', '"$@"; true', 'sh', sallyport, ...proxy(server.port)], {
      env: { ...process.env, ...stack.env },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    await once(child.stdout, 'data')
    await end(
      () => child.stdout.destroy(),
      () => child.kill('SIGKILL'),
    )
    await gone
    await expect.poll(activeSessions, { timeout: 10_000 }).toEqual([])
    child.kill('SIGKILL')
  })

  test('ends the session without a word when ssh hangs up on it', async () => {
    await using server = await serveTcp(socket => {
      socket.write('banner')
    })
    const child = spawn(sallyport, proxy(server.port), {
      env: { ...process.env, ...stack.env },
      stdio: 'pipe',
    })
    const exited = once(child, 'exit')
    const stderr = readAll(child.stderr)
    await once(child.stdout, 'data')
    child.kill('SIGHUP')
    expect(await exited).toEqual([129, null])
    expect((await stderr).toString()).toBe('')
    expect(await activeSessions()).toEqual([])
  })
})
