import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { INPUT_WINDOW } from '@sallyport/protocol/input-credit'
import { PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { describe, expect, test } from 'vitest'
import { commandDocument, openActivity } from '../testing.ts'

const document = (command: string, more = {}) => commandDocument('NonInteractiveCommands', command, more)
const open = (command: string, options = {}) => openActivity(document(command), options)
const script = (text: string, options = {}) => open(`sh -c '${text}'`, options)
const isRunning = (pid: number) => {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

describe('to our own client', () => {
  test('both streams come apart, and the exit status after them', async () => {
    const command = script('echo out; echo err >&2; exit 7')
    expect(await command.end()).toEqual({
      status: 'Success',
      output: '',
      exitCode: 7,
      stdout: 'out\n',
      stderr: 'err\n',
    })
    expect(command.order.at(-1)).toBe(PayloadType.exitCode)
  })

  test('output is live, and what the client sends is the input', async () => {
    const command = script('echo ready; while read -r line; do echo "<$line>"; done; echo end')
    await command.until(() => command.stdout() === 'ready\n')
    command.send('one\n')
    await command.until(() => command.stdout().endsWith('<one>\n'))
    command.send('two\n')
    command.flag(PayloadFlag.endOfInput)
    expect(await command.end()).toMatchObject({ exitCode: 0, stdout: 'ready\n<one>\n<two>\nend\n' })
  })

  test('input that comes before the command runs is not lost', async () => {
    const command = open('cat')
    command.send('early')
    command.flag(PayloadFlag.endOfInput)
    expect(await command.end()).toMatchObject({ stdout: 'early', exitCode: 0 })
  })

  test('input and output of some megabytes arrive whole, with a bounded amount on its way', async () => {
    const command = open('cat')
    const data = Buffer.alloc(8 * 1024 * 1024, 'The quick brown fox. ')
    let credit = INPUT_WINDOW
    let seen = 0
    for (let at = 0; at < data.length; at += 64 * 1024) {
      if (credit < 64 * 1024) {
        await command.until(() => command.counts.inputRoom > seen)
        credit += (command.counts.inputRoom - seen) * 128 * 1024
        seen = command.counts.inputRoom
      }
      credit -= 64 * 1024
      command.send(data.subarray(at, at + 64 * 1024))
    }
    command.flag(PayloadFlag.endOfInput)
    await command.end()
    const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
    expect(hash(command.stdoutBytes())).toBe(hash(data))
  })

  test('a client that sends more than it may is cut off', async () => {
    const command = open('sleep 1000')
    for (let i = 0; i <= INPUT_WINDOW / 65536 + 1; i++) command.send(Buffer.alloc(65536))
    expect(await command.end()).toMatchObject({
      status: 'Failed',
      output: expect.stringContaining('more input'),
    })
  })

  test('signals pass input that is not read', async () => {
    const command = script('trap "echo int; exit 3" INT; echo ready; while :; do sleep 0.01; done')
    for (let i = 0; i < INPUT_WINDOW / 65536; i++) command.send(Buffer.alloc(65536))
    await command.until(() => command.stdout() === 'ready\n')
    command.flag(PayloadFlag.interrupt)
    expect(await command.end()).toMatchObject({ exitCode: 3, stdout: 'ready\nint\n' })
  })

  test('a command that does not want its input is no failure', async () => {
    const command = script('exec <&-; echo closed; sleep 0.05; exit 5')
    await command.until(() => command.stdout() === 'closed\n')
    command.send(Buffer.alloc(65536))
    expect(await command.end()).toMatchObject({ status: 'Success', exitCode: 5 })
  })

  test.each<[keyof typeof PayloadFlag, number]>([
    ['interrupt', 130],
    ['quit', 131],
    ['terminate', 143],
    ['hangUp', 129],
  ])('the flag %s is a signal', async (flag, status) => {
    // dash loses signals that come while it starts a program.
    const command = script('echo ready; exec sleep 1000')
    await command.until(() => command.stdout() === 'ready\n')
    command.flag(PayloadFlag[flag])
    expect(await command.end()).toMatchObject({ exitCode: status, stdout: 'ready\n' })
  })

  test('a signal is for the whole process group', async () => {
    const command = script('sleep 1000 & echo $!; exec sleep 1000')
    await command.until(() => command.stdout().endsWith('\n'))
    const child = Number(command.stdout())
    expect(isRunning(child)).toBe(true)
    command.flag(PayloadFlag.terminate)
    await command.end()
    await expect.poll(() => isRunning(child)).toBe(false)
  })

  test('a signal that comes before the command runs reaches it', async () => {
    const command = open('sleep 1000')
    command.flag(PayloadFlag.terminate)
    expect(await command.end()).toMatchObject({ exitCode: 143 })
  })

  test('a client that takes no output holds the command up, and nothing is lost', async () => {
    const command = script('echo ready >&2; head -c 4000000 /dev/zero; echo done >&2', { slow: true })
    command.flag(PayloadFlag.endOfInput)
    command.take()
    const { stderr } = await command.end()
    expect(command.stdoutBytes()).toHaveLength(4_000_000)
    expect(stderr).toBe('ready\ndone\n')
  })
})

describe('the command', () => {
  test('has no shell: its words arrive as they are', async () => {
    const command = open(`printf '[%s]' 'a b' "c\\"d" '' '$HOME' \\* 'line\nend' grüße ; '|'`)
    expect((await command.end()).stdout).toBe('[a b][c"d][][$HOME][*][line\nend][grüße][;][|]')
  })

  test('has no terminal, leads its own session, and has an environment as of a login', async () => {
    const command = script('tty; ps -o sid= -p $$ | tr -d " "; echo $$; env; pwd', {})
    const { stdout } = await command.end()
    const [tty, session, pid, ...env] = stdout.trimEnd().split('\n')
    expect(tty).toBe('not a tty')
    expect(session).toBe(pid)
    expect(env).toContain(`PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`)
    expect(env.filter(line => /^(HOME|USER|LOGNAME|SHELL)=/.test(line))).toHaveLength(4)
    expect(env.filter(line => /^(TERM|SALLYPORT|VITEST|NODE)/.test(line))).toEqual([])
  })

  test('has real pipes, which can be opened by name', async () => {
    const command = script(
      'echo a >/dev/stdout; echo b >/dev/stderr; cat /dev/stdin; readlink /proc/self/fd/0',
    )
    command.send('c\n')
    command.flag(PayloadFlag.endOfInput)
    const { stdout, stderr } = await command.end()
    expect(stdout).toMatch(/^a\nc\npipe:\[\d+\]\n$/)
    expect(stderr).toBe('b\n')
  })

  test('that is not there is told on stderr with status 127', async () => {
    const command = open('no-such-program --x')
    expect(await command.end()).toEqual({
      status: 'Success',
      output: '',
      exitCode: 127,
      stdout: '',
      stderr: 'no-such-program: command not found\n',
    })
  })

  test.each(['/etc/passwd', '/etc', '/'])('that cannot be run is told with status 126: %s', async name => {
    expect(await open(name).end()).toMatchObject({ exitCode: 126, stderr: `${name}: cannot be executed\n` })
  })

  test('that the system does not start is told in words, with status 126', async () => {
    expect(await open(`echo ${'x'.repeat(128 * 1024)}`).end()).toMatchObject({
      status: 'Success',
      exitCode: 126,
      stderr: 'echo: cannot be executed: an argument is longer than the system takes (128 KiB)\n',
    })
    expect(await open(`echo ${'x'.repeat(128 * 1024 - 1)}`).end()).toMatchObject({ exitCode: 0, stderr: '' })
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-'))
    try {
      const name = join(directory, 'script')
      writeFileSync(name, '#!/no/such/interpreter\n', { mode: 0o755 })
      expect(await open(name).end()).toMatchObject({
        exitCode: 126,
        stderr: `${name}: cannot be executed: no such file or directory\n`,
      })
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  test('that is killed has 128 and the number of the signal', async () => {
    expect(await script('kill -KILL $$').end()).toMatchObject({ exitCode: 137 })
  })

  test('is not waited for beyond its own end: a child that holds the output open ends with the session', async () => {
    const command = script('sleep 1000 & echo $!; echo last')
    const { stdout, exitCode } = await command.end()
    expect(exitCode).toBe(0)
    const [pid, last] = stdout.split('\n')
    expect(last).toBe('last')
    await command.activity.stop()
    expect(isRunning(Number(pid))).toBe(false)
  })

  test('ends with the session, and all its descendants', async () => {
    const command = script('trap "" HUP; setsid sleep 1000 & echo $$ $!; while :; do sleep 1; done')
    await command.until(() => command.stdout().endsWith('\n'))
    const pids = command.stdout().trim().split(' ').map(Number)
    expect(pids.map(isRunning)).toEqual([true, true])
    await command.activity.stop()
    expect(pids.map(isRunning)).toEqual([false, false])
  })
})

describe('to a stock client', () => {
  test('both streams are one, live and in order, without an exit status', async () => {
    const command = script('for i in 1 2 3; do echo o$i; echo e$i >&2; done; exit 3', { own: false })
    expect(await command.end()).toEqual({
      status: 'Success',
      output: '',
      exitCode: undefined,
      stdout: 'o1\ne1\no2\ne2\no3\ne3\n',
      stderr: '',
    })
  })

  test('they come apart, with prefixes and the exit status, if the document says so', async () => {
    const separate = {
      separateOutputStream: 'true',
      stdOutSeparatorPrefix: 'OUT:\n',
      stdErrSeparatorPrefix: 'ERR:',
    }
    const command = openActivity(document(`sh -c 'echo a; echo b >&2; exit 3'`, separate), { own: false })
    expect(await command.end()).toMatchObject({ exitCode: 3, stdout: 'OUT:\na\n', stderr: 'ERR:b\n' })
  })

  test('there is no input, but the keys of signals', async () => {
    const command = script('cat; trap "echo quit; exit" QUIT; echo ready; while :; do sleep 0.01; done', {
      own: false,
    })
    await command.until(() => command.stdout() === 'ready\n')
    command.send('text\x1c\x03')
    expect((await command.end()).stdout).toMatch(/^ready\n(Quit\n)?quit\n$/)
  })

  test('Ctrl-C is SIGINT', async () => {
    const command = openActivity(document('sleep 1000', { separateOutputStream: true }), { own: false })
    command.send('\x03')
    expect(await command.end()).toMatchObject({ exitCode: 130 })
  })

  test('a command that is not there fails the session', async () => {
    const command = open('no-such-program', { own: false })
    const text = 'no-such-program: command not found'
    expect(await command.end()).toMatchObject({ status: 'Failed', output: text, stderr: `${text}\n` })
  })
})

describe('a document is refused', () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['', {}, 'Commands cannot be empty for session type NonInteractiveCommands'],
    [' \n', {}, 'Commands cannot be empty for session type NonInteractiveCommands'],
    ['# nothing', {}, 'Commands cannot be empty for session type NonInteractiveCommands'],
    ["''", {}, 'Commands cannot be empty for session type NonInteractiveCommands'],
    [`echo 'x`, {}, 'a single quote is not closed'],
    ['a', { runAsElevated: 'false' }, 'runAsElevated'],
    ['a', { separateOutputStream: 'perhaps' }, 'separateOutputStream'],
    ['a', { separateOutputStream: true, stdOutSeparatorPrefix: '\x1b[2J' }, 'stdOutSeparatorPrefix'],
    ['a', { separateOutputStream: true, stdErrSeparatorPrefix: 'x'.repeat(31) }, 'stdErrSeparatorPrefix'],
    ['{{ nothing }}', {}, "the parameter 'nothing' has neither"],
  ])('%j %j', (command, more, message) => {
    expect(() => openActivity(document(command, more))).toThrow(message)
  })
})

test('parameters are put in, and quoting is the document’s: a value cannot leave its quotes unless it has some', async () => {
  const command = openActivity(document(`printf '[%s]' '{{ a }}' {{ b }}`), {
    parameters: { a: 'x; y', b: 'p q' },
  })
  expect((await command.end()).stdout).toBe('[x; y][p][q]')
})

test('the working directory is the home of the user', async () => {
  const { stdout } = await script('pwd; echo $HOME').end()
  const [directory, home] = stdout.split('\n')
  expect(directory).toBe(home)
})
