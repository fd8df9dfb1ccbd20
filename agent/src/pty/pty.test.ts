import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { sealedStdio } from './inherited-fds.ts'
import { openPty, type Pty, type PtyOptions, ptyOf } from './pty.ts'
import { startWithFork } from './start.ts'

const env = { PATH: '/usr/bin:/bin', TERM: 'xterm-256color' }

const options = (script: string, more: Partial<PtyOptions> = {}): PtyOptions => ({
  file: '/bin/sh',
  args: ['-c', script],
  env,
  cwd: '/',
  cols: 80,
  rows: 24,
  ...more,
})

const start = (script: string, more: Partial<PtyOptions> = {}): Pty => openPty(options(script, more))

/** Collects output; `seen` resolves once `text` was printed. */
const collect = (pty: Pty) => {
  const chunks: Uint8Array[] = []
  const text = (): string => Buffer.concat(chunks).toString()
  let check: () => void = () => undefined
  pty.onData(chunk => {
    chunks.push(chunk)
    check()
  })
  const seen = (wanted: string): Promise<void> =>
    new Promise(resolve => {
      check = () => {
        if (text().includes(wanted)) resolve()
      }
      check()
    })
  return { text, seen, size: () => chunks.reduce((sum, chunk) => sum + chunk.length, 0), chunks }
}

const run = async (script: string, more: Partial<PtyOptions> = {}) => {
  const pty = start(script, more)
  const output = collect(pty)
  const exit = await pty.exited
  return { output: output.text(), exit }
}

const after = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

describe('output', () => {
  for (const [name, open] of [
    ['setsid', openPty],
    ['the fork of the addon', (o: PtyOptions) => ptyOf(startWithFork(o))],
  ] as const) {
    test(`of 300 KB arrives whole at each of 100 exits, started with ${name}`, {
      timeout: 60_000,
    }, async () => {
      const directory = mkdtempSync(join(tmpdir(), 'pty-'))
      onTestFinished(() => rmSync(directory, { recursive: true }))
      const line = 'x'.repeat(58)
      const expected = createHash('sha256').update(`${line}\r\n`.repeat(5000)).digest('hex')
      for (let round = 0; round < 100; round++) {
        const pty = open(options(`yes ${line} | head -n 5000`))
        const digest = createHash('sha256')
        pty.onData(chunk => digest.update(chunk))
        await pty.exited
        expect(digest.digest('hex'), `round ${round}`).toBe(expected)
      }
    })
  }

  test('stops while paused, and stops the program with it', async () => {
    const pty = start(
      'i=0; while [ $i -lt 40000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done',
    )
    let received = 0
    await new Promise<void>(resolve => {
      pty.onData(chunk => {
        received += chunk.length
        if (received === chunk.length) {
          pty.pause()
          resolve()
        }
      })
    })
    const atPause = received
    let exited = false
    void pty.exited.then(() => {
      exited = true
    })
    await after(150)
    expect({ received, exited }).toEqual({ received: atPause, exited: false })
    pty.resume()
    await pty.exited
    expect(received).toBe(40_000 * 42)
  })

  test('of a program that exits while paused waits for resume, and so does exited', async () => {
    const pty = start('echo first; read line; echo last; kill -9 $$')
    const output = collect(pty)
    await output.seen('first')
    pty.pause()
    pty.write(Buffer.from('\n'))
    let exited = false
    void pty.exited.then(() => {
      exited = true
    })
    while (readdirSync('/proc').includes(String(pty.pid))) await after(10)
    await after(20)
    expect({ exited, last: output.text().includes('last') }).toEqual({ exited: false, last: false })
    pty.resume()
    expect(await pty.exited).toEqual({ exitCode: 137, signal: 9 })
    expect(output.text()).toContain('last\r\n')
  })

  test('of a background program that holds the terminal does not delay the exit', async () => {
    const pty = start("trap '' HUP; yes 2>/dev/null & echo pid=$!.; exit 7")
    const output = collect(pty)
    const began = performance.now()
    expect(await pty.exited).toEqual({ exitCode: 7 })
    expect(performance.now() - began).toBeLessThan(2000)
    expect(output.text()).toMatch(/pid=\d+\./)
  })
})

describe('input', () => {
  test('of 1 MB pasted to cat arrives intact', { timeout: 20_000 }, async () => {
    const pty = start('stty raw -echo; echo ready.; head -c 1048576 | sha256sum')
    const output = collect(pty)
    await output.seen('ready.')
    const paste = Buffer.alloc(1 << 20, 'The quick brown fox\n')
    pty.write(paste)
    await pty.exited
    expect(output.text()).toContain(createHash('sha256').update(paste).digest('hex'))
  })

  test('of 1 MB is echoed by cat byte for byte', { timeout: 20_000 }, async () => {
    const pty = start('stty raw -echo; echo ready.; exec cat')
    const output = collect(pty)
    await output.seen('ready.')
    const before = output.size()
    const paste = Buffer.from(Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 7 + (i >> 8)) & 0xff))
    const whole = new Promise<void>(resolve => {
      pty.onData(() => {
        if (output.size() - before >= paste.length) resolve()
      })
    })
    expect(pty.write(paste)).toBe(false)
    paste.fill(0)
    await whole
    const expected = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 7 + (i >> 8)) & 0xff)
    expect(Buffer.concat(output.chunks).subarray(before).equals(expected)).toBe(true)
    pty.destroy()
    await pty.exited
  })

  test('of 4 MB to a program that does not read neither blocks nor spins, and overflow is an error', async () => {
    const pty = start('stty raw -echo; echo ready.; exec sleep 60')
    const output = collect(pty)
    await output.seen('ready.')
    const began = performance.now()
    expect(pty.write(new Uint8Array(4 << 20))).toBe(false)
    expect(performance.now() - began).toBeLessThan(500)
    const cpu = process.cpuUsage()
    let ticks = 0
    const ticker = setInterval(() => ticks++, 5)
    await after(400)
    clearInterval(ticker)
    const used = process.cpuUsage(cpu)
    expect(ticks).toBeGreaterThan(10)
    expect((used.user + used.system) / 1000).toBeLessThan(200)
    expect(() => pty.write(new Uint8Array(13 << 20))).toThrow(
      /does not read its terminal: \d+ bytes of input wait/,
    )
    pty.destroy()
    expect((await pty.exited).signal).toBe(1)
  })

  test('reports the drain after a write that returned false', async () => {
    // It reads nothing before it is told to: a quick reader would have taken all of it within the write.
    const pty = start(
      `stty raw -echo; trap 'head -c 1000000 >/dev/null; echo done.; exit' USR1; echo ready.; while :; do sleep 0.01; done`,
    )
    const output = collect(pty)
    await output.seen('ready.')
    const drained = new Promise<void>(resolve => pty.onDrain(resolve))
    expect(pty.write(new Uint8Array(1_000_000))).toBe(false)
    process.kill(pty.pid, 'SIGUSR1')
    await drained
    await pty.exited
    expect(output.text()).toContain('done.')
  })

  test('is byte-transparent and erases whole characters', async () => {
    const pty = start('echo ready.; read line; printf "got <%s>\\n" "$line"')
    const output = collect(pty)
    await output.seen('ready.')
    pty.write(Buffer.from('añ世\x7f\n'))
    await pty.exited
    expect(output.text()).toContain('got <añ>')
  })
})

describe('the terminal', () => {
  test('has its size before the program starts and announces changes', async () => {
    const pty = start("trap 'stty size; exit' WINCH; stty size; echo ready.; while :; do sleep 0.01; done", {
      cols: 132,
      rows: 43,
    })
    const output = collect(pty)
    await output.seen('ready.')
    expect(output.text()).toContain('43 132')
    pty.resize(100, 300)
    await pty.exited
    expect(output.text()).toContain('300 100')
    pty.resize(10, 10)
    pty.resize(0, -1)
    expect(pty.write(Buffer.from('late'))).toBe(true)
    pty.destroy()
  })

  test('is the controlling terminal of a session of its own', async () => {
    const { output } = await run('tty; ps -o sid=,tpgid= -p $$; echo $$; : </dev/tty && echo controlling')
    expect(output).toMatch(/\/dev\/pts\/\d+\r\n *(\d+) +\1\r\n\1\r\ncontrolling/)
  })

  test.runIf(process.getuid?.() === 0)('belongs to its owner with mode 0620', async () => {
    const pty = start('stat -L -c "%u %a" /dev/stdin; read x', { owner: { uid: 4321, gid: 4321 } })
    const output = collect(pty)
    await output.seen('4321 620')
    pty.destroy()
    await pty.exited
  })

  test('gives the environment it was told and no signal ignored', async () => {
    const { output } = await run(
      'env | grep -v -e ^_= -e ^PWD= -e ^SHLVL= | sort; grep SigIgn /proc/self/status',
    )
    expect(output).toBe('PATH=/usr/bin:/bin\r\nTERM=xterm-256color\r\nSigIgn:\t0000000000000000\r\n')
  })
})

describe('the exit', () => {
  test.each([
    ['exit 0', { exitCode: 0 }],
    ['exit 3', { exitCode: 3 }],
    ['kill -TERM $$', { exitCode: 143, signal: 15 }],
    ['kill -KILL $$', { exitCode: 137, signal: 9 }],
  ])('of "%s" is reported', async (script, expected) => {
    expect((await run(script)).exit).toEqual(expected)
    const forked = ptyOf(startWithFork(options(script)))
    expect(await forked.exited).toEqual(expected)
  })

  test('after destroy comes when the program is gone', async () => {
    const pty = start('sleep 60')
    pty.onData(() => undefined)
    pty.destroy()
    pty.destroy()
    expect((await pty.exited).signal).toBe(1)
  })

  test('of a program that cannot start is an error that names it', () => {
    expect(() => start('', { file: '/no/such' })).toThrow(
      'Cannot start /no/such: the program /no/such does not exist',
    )
    expect(() => start('', { cwd: '/nowhere' })).toThrow('the directory /nowhere does not exist')
    expect(() => start('', { cols: 0 })).toThrow('Cannot open a terminal of 0x24')
    expect(() => start('', { args: ['a\0b'] })).toThrow(/null bytes/)
  })
})

describe.runIf(process.platform === 'linux')('descriptors', () => {
  const openFds = (): string[] =>
    readdirSync('/proc/self/fd').flatMap(fd => {
      try {
        return [`${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`]
      } catch {
        return []
      }
    })
  const terminals = (): string[] => openFds().filter(fd => /\/dev\/(ptmx|pts)/.test(fd))

  test('are as many after 30 programs and 5 failures as before', async () => {
    await run('true')
    const before = terminals()
    for (let i = 0; i < 30; i++) await run('echo hello')
    for (let i = 0; i < 5; i++) expect(() => start('', { args: ['\0'] })).toThrow()
    const destroyed = start('sleep 60')
    destroyed.destroy()
    await destroyed.exited
    expect(terminals()).toEqual(before)
  })

  test('of other terminals reach no child, whatever gaps there are between them', async () => {
    const fillers = Array.from({ length: 30 }, () => openSync('/dev/null', 'r'))
    const first = start('sleep 60')
    for (const fd of fillers) closeSync(fd)
    const second = start('sleep 60')
    const { output } = await run('ls -l /proc/self/fd | grep -c ptmx')
    expect(output).toBe('0\r\n')
    const child = spawn('/bin/ls', ['-l', '/proc/self/fd'], {
      stdio: sealedStdio(['ignore', 'pipe', 'ignore']),
    })
    let listing = ''
    for await (const chunk of child.stdout ?? []) listing += chunk
    expect(listing).toContain('/dev/null')
    expect(listing).not.toContain('ptmx')
    for (const pty of [first, second]) {
      pty.destroy()
      await pty.exited
    }
  })
})
