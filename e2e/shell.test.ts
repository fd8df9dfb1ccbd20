import { createHash, randomBytes } from 'node:crypto'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { aws1, openSession, startSession } from './remote-shell.ts'
import { type Stack, startStack } from './stack.ts'

// A shell on a node, opened by the unmodified `aws ssm start-session` with our plugin, server and agent.

const CTRL_C = '\x03'
const CTRL_D = '\x04'
const CTRL_Z = '\x1a'
const CTRL_BACKSLASH = '\x1c'
const ESCAPE = '\x1b'

let stack: Stack
/** Writable for the user of the sessions too. */
let scratch: string

beforeAll(async () => {
  stack = await startStack()
  scratch = await mkdtemp(join(tmpdir(), 'sallyport-shell-'))
  await chmod(scratch, 0o777)
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
  if (scratch) await rm(scratch, { recursive: true })
})

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex')

async function describeSession(state: 'Active' | 'History', sessionId: string) {
  const filter = `key=SessionId,value=${sessionId}`
  const { Sessions } = await stack.api('describe-sessions', '--state', state, '--filters', filter)
  return Sessions[0]
}

test('from the prompt to exit: a terminal of its own, a record of it, and nothing left behind', async () => {
  await using shell = await startSession(stack, ['--reason', 'look at the disk'], { cols: 101, rows: 33 })
  expect(await shell.run('tty')).toMatch(/^\/dev\/pts\/\d+$/)
  expect(await shell.run('stty size')).toBe('33 101')
  expect(await shell.run('echo $TERM')).toBe('xterm-256color')
  expect(await describeSession('Active', shell.sessionId)).toMatchObject({
    Target: stack.node.id,
    Status: 'Connected',
    Owner: expect.stringMatching(/^arn:aws:iam::123456789012:user\/\S+$/),
    Reason: 'look at the disk',
    DocumentName: 'SSM-SessionManagerRunShell',
  })

  const processes = await shell.processes()
  await shell.run('sleep 600 & sleep 601 & true')
  expect(processes().length).toBeGreaterThanOrEqual(3)
  await shell.type('exit\r')
  await shell.terminal.waitFor(`Exiting session with sessionId: ${shell.sessionId}.`)
  expect(await shell.ended()).toMatchObject({ status: 0, restored: true })
  await expect.poll(processes).toEqual([])

  expect(await describeSession('Active', shell.sessionId)).toBeUndefined()
  expect(await describeSession('History', shell.sessionId)).toMatchObject({
    Status: 'Terminated',
    Reason: 'look at the disk',
    Owner: expect.stringContaining(':user/'),
    EndDate: expect.anything(),
  })
})

test('the node is Online, and connected', async () => {
  const { InstanceInformationList } = await stack.api('describe-instance-information')
  expect(InstanceInformationList).toMatchObject([
    { InstanceId: stack.node.id, PingStatus: 'Online', PlatformType: 'Linux', Name: 'node-1' },
  ])
  expect(await stack.api('get-connection-status', '--target', stack.node.id)).toEqual({
    Target: stack.node.id,
    Status: 'connected',
  })
})

test.runIf(aws1)('version 1 of the aws CLI opens a shell too', async () => {
  await using shell = await startSession(stack, [], { aws: aws1 ?? '' })
  expect(await shell.run('echo $((6 * 7))')).toBe('42')
  await shell.type('exit\r')
  expect(await shell.ended()).toMatchObject({
    status: 0,
    restored: true,
    said: expect.stringContaining('Exiting'),
  })
})

test('a resize of the window reaches the program that runs', async () => {
  await using shell = await startSession(stack)
  const watch = `trap 'echo size=$(stty size).' WINCH; echo watching-$((1)); while :; do sleep 0.02; done`
  await shell.type(`sh -c "${watch.replace(/\$/g, '\\$')}"\r`)
  await shell.terminal.waitFor('watching-1')
  shell.terminal.resize(132, 43)
  await shell.terminal.waitFor('size=43 132.')
  shell.terminal.resize(64, 20)
  await shell.terminal.waitFor('size=20 64.')
})

describe('keys', () => {
  test('Ctrl-C interrupts, Ctrl-\\ quits', async () => {
    await using shell = await startSession(stack)
    await shell.type('sh -c "echo runs-\\$((1)); exec sleep 600"\r')
    await shell.terminal.waitFor('runs-1')
    await shell.type(CTRL_C)
    await shell.type('echo ended=$?.\r')
    await shell.terminal.waitFor('ended=130.')
    await shell.type('sh -c "echo runs-\\$((2)); exec sleep 600"\r')
    await shell.terminal.waitFor('runs-2')
    await shell.type(CTRL_BACKSLASH)
    await shell.type('echo ended=$?.\r')
    await shell.terminal.waitFor('ended=131.')
  })

  test('Ctrl-Z stops a program, fg brings it back', async () => {
    await using shell = await startSession(stack)
    await shell.type('sh -c "echo runs-\\$((1)); read line; echo got \\$line."\r')
    await shell.terminal.waitFor('runs-1')
    await shell.type(CTRL_Z)
    await shell.terminal.waitFor('Stopped')
    expect(await shell.run('jobs')).toContain('Stopped')
    await shell.type('fg\r')
    await shell.terminal.waitFor('read line')
    await shell.type('mail\r')
    await shell.terminal.waitFor('got mail.')
  })

  test('vim edits a file', async () => {
    const file = join(scratch, 'letter')
    await using shell = await startSession(stack)
    await shell.type(`vim -u NONE -N ${file}\r`)
    await shell.terminal.waitFor('[New]')
    await shell.type('iDear wörld,')
    await shell.terminal.waitFor('wörld,')
    await shell.type(`${ESCAPE}:wq\r`)
    await shell.terminal.waitFor('written')
    await shell.terminal.waitFor(/[$#] $/)
    expect(await readFile(file, 'utf8')).toBe('Dear wörld,\n')
  })
})

describe('bytes', () => {
  test('10 MB of output arrive unchanged', async () => {
    const lines = Array.from({ length: 1_450_000 }, (_, index) => `${index + 1}\n`).join('')
    await using shell = await startSession(stack)
    await shell.run('stty -onlcr')
    const start = shell.terminal.bytes().length
    await shell.type(` printf 'be%s' gin:; seq 1 1450000; printf 'e%s' nd\r`)
    await shell.terminal.waitForBytes(start + lines.length, { timeoutMs: 40_000 })
    await shell.terminal.waitFor('end')
    const received = shell.terminal.bytes()
    const first = received.indexOf('begin:', start) + 'begin:'.length
    expect(sha256(received.subarray(first, first + lines.length))).toBe(sha256(lines))
  })

  test('200 KB pasted into cat arrive unchanged', async () => {
    const file = join(scratch, 'paste')
    const text = Array.from({ length: 4_000 }, (_, index) => `${index} naïve „quotes“ ✓ ${'x'.repeat(20)}`)
    await using shell = await startSession(stack)
    await shell.type(`stty -echo; echo ready-$((1)); cat > ${file}; stty echo; echo saved-$((1))\r`)
    await shell.terminal.waitFor('ready-1')
    // Terminals paste Enter keys, as which they take line ends; the node's terminal makes line ends of them.
    await shell.type(`${text.join('\r')}\r`)
    await shell.type(CTRL_D)
    await shell.terminal.waitFor('saved-1')
    const saved = await readFile(file, 'utf8')
    expect(saved.length).toBeGreaterThan(150_000)
    expect(sha256(saved)).toBe(sha256(`${text.join('\n')}\n`))
  })

  test('every byte there is passes both ways', async () => {
    const file = join(scratch, 'binary')
    const every = Uint8Array.from({ length: 256 }, (_, index) => index)
    const sent = Buffer.concat([every, every.toReversed(), randomBytes(4096)])
    await using shell = await startSession(stack)
    await shell.type(
      `stty raw -echo; echo ready-$((1)); head -c ${sent.length} > ${file}; cat ${file}; stty sane; echo done-$((1))\r`,
    )
    await shell.terminal.waitFor(/ready-1\r?\n/)
    const start = shell.terminal.bytes().length
    await shell.type(sent)
    await shell.terminal.waitFor('done-1')
    expect(sha256(await readFile(file))).toBe(sha256(sent))
    expect(
      shell.terminal
        .bytes()
        .subarray(start, start + sent.length)
        .equals(sent),
    ).toBe(true)
  })
})

test('closing the window ends the session on the node', async () => {
  await using shell = await startSession(stack)
  const processes = await shell.processes()
  // The shell that ends, then its terminal, then the kernel: the programs on it get more than one hang-up.
  const hangUp = () => {
    try {
      process.kill(-shell.terminal.pid, 'SIGHUP')
    } catch {
      clearInterval(again)
    }
  }
  const again = setInterval(hangUp, 1)
  onTestFinished(() => clearInterval(again))
  hangUp()
  await expect.poll(processes, { timeout: 10_000 }).toEqual([])
  await expect.poll(() => describeSession('History', shell.sessionId)).toMatchObject({ Status: 'Terminated' })
})

test('when the aws CLI is killed, its session ends and the terminal is given back', async () => {
  await using shell = await startSession(stack)
  const processes = await shell.processes()
  process.kill(shell.clientPid, 'SIGKILL')
  await shell.terminal.waitFor('status=137.')
  await expect.poll(processes, { timeout: 10_000 }).toEqual([])
  await expect.poll(() => describeSession('History', shell.sessionId)).toMatchObject({ Status: 'Terminated' })
  await expect.poll(() => shell.modes()).toBe(shell.modesBefore)
})

test('many shells at once', async () => {
  const shells = await Promise.all([1, 2, 3].map(() => startSession(stack)))
  const answers = await Promise.all(shells.map((shell, index) => shell.run(`echo ${index}; tty`)))
  expect(new Set(answers).size).toBe(3)
  await Promise.all(shells.map(shell => shell.type('exit\r')))
  for (const shell of shells) expect(await shell.ended()).toMatchObject({ status: 0, restored: true })
})

test('a wrong target is refused before anything is started', async () => {
  await using shell = openSession(stack, ['--target', 'mi-00000000000000000'])
  const { said, status } = await shell.ended()
  expect(said).toMatch(/TargetNotConnected.*no node with this id was ever registered/s)
  expect(status).not.toBe(0)
})
