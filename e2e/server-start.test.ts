import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { binDirectory, Service, type Stack, startStack } from './stack.ts'
import { serveTcp } from './tcp-servers.ts'
import { run } from './terminal.ts'

// Starts that fail, and what they must not have done by then.

const sallyport = `${binDirectory}/sallyport`

let directory: string
let stack: Stack

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-start-'))
  stack = await startStack()
})
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

const serverArguments = (dataDirectory: string, https = 0, http = 'off') => [
  'server',
  ...['--data-dir', dataDirectory, '--listen', `127.0.0.1:${https}`, '--http-listen', http],
]
const start = (...args: string[]) => run(sallyport, args, { env: {} })

test("the administrator's key is not lost by a first start that fails", async () => {
  const data = join(directory, 'first')
  await using busy = await serveTcp(() => {})
  const owner = `is in use by .* \\(pid ${process.pid}\\)\\.`
  const failed = await start(...serverArguments(data, busy.port))
  expect(failed).toMatchObject({ code: 1, stdout: '' })
  expect(failed.stderr).toMatch(
    new RegExp(`^sallyport server: Port ${busy.port} ${owner} Choose another with --listen\\.\\n$`),
  )
  const again = await start(...serverArguments(data, 0, `127.0.0.1:${busy.port}`))
  expect(again).toMatchObject({ code: 1, stdout: '' })
  expect(again.stderr).toMatch(new RegExp(`^[^\\n]* ${owner} [^\\n]*--http-listen off\\.\\n$`))
  const server = new Service(sallyport, serverArguments(data), {})
  const banner = await server.waitForLine(/^Ready\.$/)
  await server.stop()
  expect(banner).toMatch(/AWS_ACCESS_KEY_ID=AKIA/)
})

test('a second server on the data of a running one does not take its nodes away', async () => {
  const failed = await start(...serverArguments(stack.dataDirectory, stack.httpsPort))
  expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining(`(pid ${stack.server.pid})`) })
  const { InstanceInformationList } = await stack.api('describe-instance-information')
  expect(InstanceInformationList).toMatchObject([{ InstanceId: stack.node.id, PingStatus: 'Online' }])
})

test('what else can be put right is one sentence too', async () => {
  const file = join(directory, 'file')
  await writeFile(file, '')
  const sentence = (text: string) =>
    expect.stringMatching(new RegExp(`^sallyport server: ${text}[^\\n]*\\n$`))
  expect(await start(...serverArguments(join(file, 'data')))).toMatchObject({
    code: 1,
    stderr: sentence(`The data directory ${file}/data cannot be used: ENOTDIR`),
  })
  const log = ['--log-file', join(file, 'log')]
  expect(await start(...serverArguments(join(directory, 'other')), ...log)).toMatchObject({
    code: 1,
    stderr: sentence(`The log file ${file}/log cannot be written: `),
  })
  await writeFile(join(directory, 'sallyport.db'), 'This is no database. '.repeat(100))
  expect(await start(...serverArguments(directory))).toMatchObject({
    code: 1,
    stderr: sentence(`The database ${directory}/sallyport.db cannot be used: `),
  })
})

test('and goes to the log, if that is a file', async () => {
  await using busy = await serveTcp(() => {})
  const log = join(directory, 'log')
  const failed = await start(...serverArguments(join(directory, 'logged'), busy.port), '--log-file', log)
  expect(failed.stderr).toMatch(/^sallyport server: Port [^\n]*\n$/)
  const [line] = (await readFile(log, 'utf8')).trim().split('\n').slice(-1)
  expect(JSON.parse(line ?? '')).toMatchObject({
    level: 'fatal',
    msg: 'the server could not start',
    reason: expect.stringContaining(`Port ${busy.port} is in use`),
  })
})
