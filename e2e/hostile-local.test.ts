import { chmod, chown, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { binDirectory, Service, type Stack, startStack } from './stack.ts'
import { serveHttp, type TestServer } from './tcp-servers.ts'
import { run } from './terminal.ts'

// Another user of the machine on which somebody forwards ports. Needs root, to be two other users.

const ALICE = 64_001
const MALLORY = 64_002
const as = (uid: number) => ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups']

let stack: Stack
let web: TestServer
/** Where everybody may write, as in /tmp. */
let shared: string
let environment: Record<string, string | undefined>

beforeAll(async () => {
  stack = await startStack()
  web = await serveHttp((_, response) => response.end('secret'))
  shared = await mkdtemp(join(tmpdir(), 'sallyport-shared-'))
  await chmod(shared, 0o1777)
  const ca = join(shared, 'ca.pem')
  await writeFile(ca, await readFile(stack.caFile), { mode: 0o644 })
  environment = { ...stack.env, AWS_CA_BUNDLE: ca, HOME: shared }
})

afterAll(async () => {
  await web?.[Symbol.asyncDispose]()
  await stack?.[Symbol.asyncDispose]()
  await rm(shared, { recursive: true })
})

const command = (...args: string[]) => [
  ...as(ALICE),
  `${binDirectory}/sallyport`,
  ...['forward', stack.node.id, ...args],
]

/** Alice forwards, and comes to an end at once. */
async function forward(...args: string[]) {
  const [file = '', ...rest] = command(...args)
  return await run(file, rest, { env: environment, timeoutMs: 20_000 })
}

const curl = (uid: number, ...args: string[]) => {
  const [file = '', ...rest] = [...as(uid), 'curl', '-sS', '--max-time', '5', ...args]
  return run(file, rest)
}

/** Something at the path that is Mallory's. */
async function listen(path: string): Promise<Service> {
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('listening'))`
  const [file = '', ...rest] = [...as(MALLORY), process.execPath, '-e', script]
  const service = new Service(file, rest, {})
  await service.waitForLine(/^listening$/)
  return service
}

describe('a path that somebody else was at before', () => {
  test('as a file, or a link to one of Alice’s, is not touched', async () => {
    const precious = join(shared, 'precious')
    await writeFile(precious, 'precious')
    await chown(precious, ALICE, ALICE)
    const file = join(shared, 'file.sock')
    await writeFile(file, '')
    await chown(file, MALLORY, MALLORY)
    const link = join(shared, 'link.sock')
    await symlink(precious, link)
    const nowhere = join(shared, 'nowhere.sock')
    await symlink(join(shared, 'not-yet'), nowhere)
    for (const path of [file, link, nowhere]) {
      const { code, stderr } = await forward('--socket', path, String(web.port))
      expect(code).toBe(1)
      expect(stderr).toBe(`sallyport: ${path} is there already and is no socket: it is not overwritten.\n`)
    }
    expect(await readFile(precious, 'utf8')).toBe('precious')
    await expect(stat(join(shared, 'not-yet'))).rejects.toThrow('ENOENT')
  })

  test('as a socket that takes connections, or none of hers, is not used', async () => {
    const path = join(shared, 'live.sock')
    const mallory = await listen(path)
    for (const mode of [0o777, 0o600]) {
      await chmod(path, mode)
      const { code, stderr } = await forward('--socket', path, String(web.port))
      expect(code).toBe(1)
      expect(stderr).toBe(`sallyport: The socket ${path} is in use by another program.\n`)
    }
    await mallory.stop()
  })

  test('as a socket that was left behind, is named, and no crash', async () => {
    const path = join(shared, 'stale.sock')
    const mallory = await listen(path)
    await mallory.kill('SIGKILL')
    await chmod(path, 0o777)
    const { code, stderr } = await forward('--socket', path, String(web.port))
    expect(code).toBe(1)
    expect(stderr).toMatch(/^sallyport: Cannot [^\n]*stale\.sock[^\n]*\n$/)
  })
})

test('a Unix socket is for its owner alone, a port for everybody on the machine, as the manual says', async () => {
  const path = join(shared, 'web.sock')
  const [file = '', ...socketArgs] = command('--socket', path, String(web.port))
  const socket = new Service(file, socketArgs, environment)
  const [, ...portArgs] = command(`:${web.port}`)
  const port = new Service(file, portArgs, environment)
  await socket.waitForLine(/^Forwarding .*web\.sock/)
  const [, number] = /127\.0\.0\.1:(\d+)/.exec(await port.waitForLine(/^Forwarding 127/)) ?? []
  expect(await curl(ALICE, '--unix-socket', path, 'http://node/')).toMatchObject({
    code: 0,
    stdout: 'secret',
  })
  expect(await curl(MALLORY, '--unix-socket', path, 'http://node/')).toMatchObject({ code: 7, stdout: '' })
  expect(await curl(MALLORY, `http://127.0.0.1:${number}/`)).toMatchObject({ code: 0, stdout: 'secret' })
  expect(await readFile('docs/how-to/forward-ports.md', 'utf8')).toContain('every user of this machine')
  await socket.stop()
  await port.stop()
})
