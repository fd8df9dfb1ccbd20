import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { connect } from './remote-shell.ts'
import { binDirectory, type Stack, startStack } from './stack.ts'
import { isRunning, openTerminal, type RunOptions, run } from './terminal.ts'

const sallyport = `${binDirectory}/sallyport`

let stack: Stack

beforeAll(async () => {
  stack = await startStack()
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

/** `sallyport exec <the node> <args>` without a terminal, as a script runs it. */
const exec = (args: string[], options: RunOptions = {}) =>
  run(sallyport, ['exec', stack.node.id, ...args], { ...options, env: { ...stack.env, ...options.env } })

/** The same, in progress. */
function start(args: string[]) {
  const child = spawn(sallyport, ['exec', stack.node.id, ...args], {
    env: { ...process.env, ...stack.env },
    stdio: 'pipe',
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = once(child, 'close')
  const stderr = text(child.stderr)
  /** Waits for the first output, which is to be the ids of processes. */
  const pids = async () =>
    String((await once(child.stdout, 'data'))[0])
      .trim()
      .split(/\s+/)
      .map(Number)
  return { child, ended, stderr, pids }
}

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex')
const activeCommands = async (): Promise<Array<{ SessionId: string }>> => {
  const { Sessions } = await stack.api('describe-sessions', '--state', 'Active')
  return Sessions.filter((session: { DocumentName: string }) => session.DocumentName.endsWith('Command'))
}

describe('a command', () => {
  test('has its exit status, and its two output streams apart, and nothing else is printed', async () => {
    expect(await exec(['--', 'sh', '-c', 'exit 7'])).toMatchObject({ code: 7, stdout: '', stderr: '' })
    expect(await exec(['--', 'sh', '-c', 'echo out; echo err >&2'])).toMatchObject({
      code: 0,
      stdout: 'out\n',
      stderr: 'err\n',
    })
  })

  test('gets its arguments exactly as they are', async () => {
    const words = [
      'a b',
      '',
      "it's",
      '"q"',
      '\\',
      'two\nlines',
      '$HOME',
      '*',
      '~',
      ';',
      '|',
      '{{ command }}',
      'grüße 🙂',
      '--',
      '-c',
      '#x',
    ]
    const { code, stdout } = await exec(['--', 'printf', '%s\\0', ...words])
    expect(code).toBe(0)
    expect(stdout.split('\0').slice(0, -1)).toEqual(words)
  })

  test('runs as the session’s user, in the home directory, with a login’s environment and without a terminal', async () => {
    const script =
      'id -un; pwd; echo $HOME $USER $PATH; tty; ls -l /proc/self/fd | grep -v /dev/null | grep -c -- "->"'
    const { stdout } = await exec(['--', 'sh', '-c', script])
    const [user, directory, variables, tty, descriptors] = stdout.split('\n')
    await using shell = await connect(stack)
    expect(await shell.run('id -un; pwd')).toBe(`${user}\n${directory}`)
    expect(variables).toBe(
      `${directory} ${user} /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    )
    expect(tty).toBe('not a tty')
    expect(descriptors, 'the three, and the one that ls has opened').toBe('4')
  })

  test('can open its own streams by name, also as another user than the agent', async () => {
    const script = 'cat /dev/stdin; echo oops >/dev/stderr; echo out >/dev/stdout'
    expect(await exec(['--', 'sh', '-c', script], { input: 'in\n' })).toMatchObject({
      code: 0,
      stdout: 'in\nout\n',
      stderr: 'oops\n',
    })
  })

  test('that does not exist exits with 127, one that may not be run with 126, a killed one with 128 + n', async () => {
    expect(await exec(['--', 'no-such-program'])).toMatchObject({
      code: 127,
      stdout: '',
      stderr: 'no-such-program: command not found\n',
    })
    expect(await exec(['--', '/etc/passwd'])).toMatchObject({ code: 126, stdout: '' })
    expect(await exec(['--', 'sh', '-c', 'kill -KILL $$'])).toMatchObject({ code: 137, stderr: '' })
  })

  test('is found by the node’s name, and its reason is kept', async () => {
    const result = await run(sallyport, ['exec', 'node-1', '--reason', 'a look', '--', 'hostname'], {
      env: stack.env,
    })
    expect(result).toMatchObject({ code: 0, stderr: '' })
    const { Sessions } = await stack.api('describe-sessions', '--state', 'History')
    expect(Sessions.map((session: { Reason?: string }) => session.Reason)).toContain('a look')
  })

  test('is asked for when there is none', async () => {
    expect(await exec([])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('There is no command'),
    })
  })
})

describe('streams', () => {
  test('50 MB of input arrive', async () => {
    const data = randomBytes(50 * 1024 * 1024)
    const { code, stdout } = await exec(['--', 'sha256sum'], { input: data, timeoutMs: 50_000 })
    expect(code).toBe(0)
    expect(stdout).toBe(`${sha256(data)}  -\n`)
  })

  test('50 MB of output arrive, and no more is printed', async () => {
    const size = 50 * 1024 * 1024
    const pipe = `"$0" exec "$1" -- head -c ${size} /dev/zero | sha256sum`
    const { stdout, stderr } = await run('/bin/sh', ['-c', pipe, sallyport, stack.node.id], {
      env: stack.env,
      timeoutMs: 50_000,
    })
    expect(stdout).toBe(`${sha256(Buffer.alloc(size))}  -\n`)
    expect(stderr).toBe('')
  })

  test('data goes through a command and back, live', async () => {
    const { child, ended } = start(['--', 'sed', '-u', 's/^/> /'])
    child.stdin.write('one\n')
    expect(String((await once(child.stdout, 'data'))[0])).toBe('> one\n')
    child.stdin.end('two\n')
    expect(String((await once(child.stdout, 'data'))[0])).toBe('> two\n')
    expect(await ended).toEqual([0, null])
  })

  test('a command that leaves its input unread is no failure, and its end is not waited for in vain', async () => {
    const { child, ended } = start(['--', 'sh', '-c', 'exec <&-; echo done; exit 3'])
    child.stdin.on('error', () => undefined)
    child.stdin.write(Buffer.alloc(4 * 1024 * 1024))
    expect(await ended).toEqual([3, null])
  })

  test('with -n the input is left to others', async () => {
    const script = 'while read -r line; do "$0" exec -n "$1" -- sh -c "cat; echo got $line"; done'
    const { stdout } = await run('/bin/sh', ['-c', script, sallyport, stack.node.id], {
      env: stack.env,
      input: '1\n2\n',
    })
    expect(stdout).toBe('got 1\ngot 2\n')
  })

  test('a reader that has gone ends the command, as SIGPIPE would', async () => {
    const pipe = '{ "$0" exec "$1" -- sh -c \'echo $$; exec yes\'; echo "status $?" >&2; } | head -1'
    const { stdout, stderr } = await run('/bin/sh', ['-c', pipe, sallyport, stack.node.id], {
      env: stack.env,
    })
    expect(stderr).toBe('status 141\n')
    await expect.poll(() => isRunning(Number(stdout))).toBe(false)
  })
})

describe('signals', () => {
  test.each<[NodeJS.Signals, number]>([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGQUIT', 131],
  ])('%s is passed on, and the status is the command’s', async (signal, status) => {
    const { child, ended, pids, stderr } = start(['--', 'sh', '-c', 'echo $$; exec sleep 1000'])
    const [pid = 0] = await pids()
    child.kill(signal)
    expect(await ended).toEqual([status, null])
    expect(await stderr).toBe('')
    await expect.poll(() => isRunning(pid)).toBe(false)
  })

  test('the command may do something else about it, also while its input waits unread', async () => {
    const script = 'trap "echo bye; exit 5" TERM; echo $$; while :; do sleep 0.05; done'
    const { child, ended, pids } = start(['--', 'sh', '-c', script])
    child.stdin.on('error', () => undefined)
    child.stdin.write(Buffer.alloc(8 * 1024 * 1024))
    await pids()
    const rest = text(child.stdout)
    child.kill('SIGTERM')
    expect(await ended).toEqual([5, null])
    expect(await rest).toBe('bye\n')
  })

  test('a second one ends the session, whatever the command thinks of it, and leaves nothing on the node', async () => {
    const script =
      'trap "echo no" INT; trap "" HUP; setsid sleep 1000 & echo $$ $!; while :; do sleep 0.05; done'
    const { child, ended, pids } = start(['--', 'sh', '-c', script])
    const running = await pids()
    child.kill('SIGINT')
    await once(child.stdout, 'data')
    child.kill('SIGINT')
    expect(await ended).toEqual([130, null])
    await expect.poll(() => running.filter(isRunning), { timeout: 10_000 }).toEqual([])
    expect(await activeCommands()).toEqual([])
  })
})

test('a background process does not keep the command from ending, and ends with it', async () => {
  const { code, stdout } = await exec(['--', 'sh', '-c', 'sleep 1000 & echo $!; exit 4'])
  expect(code).toBe(4)
  await expect.poll(() => isRunning(Number(stdout)), { timeout: 10_000 }).toBe(false)
})

test('a session that is terminated from outside is a failure', async () => {
  const { ended, pids, stderr } = start(['--', 'sh', '-c', 'echo $$; exec sleep 1000'])
  const [pid = 0] = await pids()
  const [{ SessionId } = { SessionId: '' }] = await activeCommands()
  await stack.api('terminate-session', '--session-id', SessionId)
  expect(await ended).toEqual([255, null])
  expect(await stderr).toBe(`sallyport: The session was ended by user/admin. (session ${SessionId})\n`)
  await expect.poll(() => isRunning(pid)).toBe(false)
})

describe('on a terminal', () => {
  const open = (args: string[]) =>
    openTerminal({
      file: sallyport,
      args: ['exec', stack.node.id, ...args],
      env: stack.env,
      cols: 90,
      rows: 21,
    })

  test('-t gives the command one, of the right size', async () => {
    await using terminal = open(['-t', '--', 'sh', '-c', 'stty size; read -r line; echo "<$line>"; exit 6'])
    await terminal.waitFor('21 90')
    await terminal.send('hello\r')
    await terminal.waitFor('<hello>')
    expect(await terminal.exited).toMatchObject({ exitCode: 6 })
  })

  test('without -t what is typed is the input, line by line, and Ctrl-D ends it', async () => {
    await using terminal = open(['--', 'wc', '-c'])
    await terminal.send('12345\r')
    await terminal.send('\x04')
    await terminal.waitFor(/^6\r\n/m)
    expect(await terminal.exited).toMatchObject({ exitCode: 0 })
  })

  test('without -t Ctrl-C is a signal for the command', async () => {
    await using terminal = open(['--', 'sh', '-c', 'echo ready; exec sleep 1000'])
    await terminal.waitFor('ready')
    await terminal.send('\x03')
    expect(await terminal.exited).toMatchObject({ exitCode: 130 })
  })
})
