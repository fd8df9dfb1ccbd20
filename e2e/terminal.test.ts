import { describe, expect, test } from 'vitest'
import { isRunning, openTerminal, run } from './terminal.ts'

const shell = (script: string) => openTerminal({ file: '/bin/sh', args: ['-c', script] })

describe('a terminal', () => {
  test('is a real one, of the size asked for, and follows a resize', async () => {
    await using terminal = openTerminal({
      file: '/bin/sh',
      args: ['-c', 'tty; stty size; echo "$TERM $COLOR"; read line; stty size; exit 3'],
      env: { COLOR: 'blue' },
      cols: 101,
      rows: 33,
    })
    await terminal.waitFor(/\/dev\/pts\/\d+\r\n/)
    await terminal.waitFor('33 101')
    await terminal.waitFor('xterm-256color blue')
    terminal.resize(120, 40)
    await terminal.send('\r')
    await terminal.waitFor('40 120')
    expect(await terminal.exited).toEqual({ exitCode: 3, signal: null })
  })

  test('takes typed text and Control-C', async () => {
    await using terminal = shell('read name; echo "hello $name."; read again')
    await terminal.send('wörld\r')
    await terminal.waitFor('hello wörld.')
    await terminal.send(new Uint8Array([3]))
    expect(await terminal.exited).toEqual({ exitCode: null, signal: 'SIGINT' })
  })

  test('consumes its output match by match', async () => {
    await using terminal = shell('echo a1 a2; read x; echo a3; read x')
    expect((await terminal.waitFor(/a(\d)/g))[1]).toBe('1')
    expect((await terminal.waitFor(/a(\d)/g))[1]).toBe('2')
    const third = terminal.waitFor(/a(\d)/)
    await terminal.send('\r')
    expect((await third)[1]).toBe('3')
    expect(terminal.bytes().toString()).toBe(terminal.output())
  })

  test('shows what came instead of what was waited for', async () => {
    await using terminal = shell('echo something else; read x')
    await expect(terminal.waitFor('a prompt', { timeoutMs: 300 })).rejects.toThrow(
      /no a prompt in the terminal: 300 ms passed[\s\S]*something else/,
    )
    await terminal.send('\r')
    await expect(terminal.waitFor('a prompt')).rejects.toThrow(/"exitCode":0/)
    await expect(terminal.send('x')).rejects.toThrow('the program has ended')
    expect(() => terminal.resize(80, 24)).toThrow('the program has ended')
  })

  test('passes 300 KB both ways without a deadlock or a loss', async () => {
    const lines = Array.from({ length: 6_000 }, (_, i) => `line ${i} ${'x'.repeat(40)}\n`).join('')
    await using terminal = shell(`stty raw -echo; echo ready; head -c ${lines.length}; printf end`)
    await terminal.waitFor('ready')
    const start = terminal.bytes().length
    await terminal.send(lines)
    expect(await terminal.exited).toEqual({ exitCode: 0, signal: null })
    expect(terminal.output().slice(start).trimStart()).toBe(`${lines}end`)
  })

  test('keeps the event loop free while the program does not read', async () => {
    await using terminal = shell('stty raw -echo; echo ready; sleep 600')
    await terminal.waitFor('ready')
    const stuck = terminal.send('x'.repeat(1_000_000)).catch(String)
    await expect(terminal.waitFor('never', { timeoutMs: 50 })).rejects.toThrow('50 ms passed')
    terminal.kill('SIGKILL')
    expect(await stuck).toContain('the program has ended')
    expect(await terminal.exited).toEqual({ exitCode: null, signal: 'SIGKILL' })
  })

  test('takes its background jobs along', async () => {
    const terminal = openTerminal({ file: '/bin/bash', args: ['--norc', '-i'] })
    await terminal.send("trap '' HUP; sleep 600 & echo job=$!.\r")
    const job = Number((await terminal.waitFor(/job=(\d+)\./))[1])
    expect(isRunning(job)).toBe(true)
    await terminal[Symbol.asyncDispose]()
    expect(isRunning(terminal.pid)).toBe(false)
    await expect.poll(() => isRunning(job)).toBe(false)
  })
})

describe('run', () => {
  test('returns output, errors and exit code', async () => {
    const result = await run('/bin/sh', ['-c', 'cat; echo "$A" >&2; exit 4'], {
      input: 'in',
      env: { A: 'b' },
    })
    expect(result).toEqual({ code: 4, signal: null, stdout: 'in', stderr: 'b\n' })
  })

  test('removes a variable that is set to undefined', async () => {
    const { stdout } = await run('/bin/sh', ['-c', 'echo "[$HOME]"'], { env: { HOME: undefined } })
    expect(stdout).toBe('[]\n')
  })

  test('kills the whole group at the timeout and says what came', async () => {
    const stuck = run('/bin/sh', ['-c', 'sleep 600 & echo job=$!.; wait'], { timeoutMs: 300 })
    const message = await stuck.then(() => 'ended', String)
    expect(message).toMatch(/did not end within 300 ms[\s\S]*job=\d+\./)
    const job = Number(/job=(\d+)/.exec(message)?.[1])
    await expect.poll(() => isRunning(job)).toBe(false)
  })

  test('rejects when there is no such program, and does not mind unread input', async () => {
    await expect(run('/no/such/program', [])).rejects.toThrow('ENOENT')
    expect((await run('true', [], { input: 'x'.repeat(1_000_000) })).code).toBe(0)
  })
})
