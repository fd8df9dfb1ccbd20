import { EventEmitter } from 'node:events'
import { describe, expect, test } from 'vitest'
import { openTerminal, type TerminalOptions } from './terminal.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

const setUp = (options: { inputIsTerminal?: boolean; outputIsTerminal?: boolean; label?: string } = {}) => {
  const { inputIsTerminal = true, outputIsTerminal = true } = options
  const log: string[] = []
  const stream = (name: string, isTTY: boolean) =>
    Object.assign(new EventEmitter(), {
      isTTY,
      columns: isTTY ? 120 : undefined,
      rows: isTTY ? 40 : undefined,
      write: (data: Uint8Array | string) => {
        log.push(`${name} ${typeof data === 'string' ? data : new TextDecoder().decode(data)}`)
        return true
      },
      pause: () => log.push(`${name} pause`),
      resume: () => log.push(`${name} resume`),
      setRawMode: (raw: boolean) => log.push(`raw ${raw}`),
    })
  const process = Object.assign(new EventEmitter(), {
    pid: 77,
    kill: (pid: number, signal: string) => {
      log.push(`kill ${pid} ${signal}`)
      return true
    },
  })
  const stdin = stream('stdin', inputIsTerminal)
  const stdout = stream('stdout', outputIsTerminal)
  const stderr = stream('stderr', false)
  const terminal = openTerminal({
    stdin,
    stdout,
    stderr,
    process: process as unknown as NonNullable<TerminalOptions['process']>,
    ...(options.label !== undefined && { label: options.label }),
    disableOutputProcessing: () => log.push('stty'),
  } as TerminalOptions)
  return { terminal, log, stdin, stdout, stderr, process }
}

const FATAL = ['exit', 'uncaughtExceptionMonitor', 'SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT'] as const

describe('raw mode', () => {
  test.each(FATAL)('is left on %s', event => {
    const { terminal, log, process } = setUp()
    terminal.enterRaw()
    process.emit(event, event)
    expect(log.slice(0, 3)).toEqual(['raw true', 'stty', 'raw false'])
    expect(process.eventNames()).toEqual([])
  })

  test('a fatal signal that nobody else handles ends the program as it would have', () => {
    const { terminal, log, process } = setUp()
    terminal.enterRaw()
    process.emit('SIGTERM', 'SIGTERM')
    expect(log).toContain('kill 77 SIGTERM')
  })

  test('a fatal signal with another listener is left to that listener', () => {
    const { terminal, log, process } = setUp()
    process.on('SIGTERM', () => log.push('other'))
    terminal.enterRaw()
    process.emit('SIGTERM', 'SIGTERM')
    expect(log).toContain('other')
    expect(log).not.toContain('kill 77 SIGTERM')
  })

  test('restoring twice, or without having entered, changes nothing', () => {
    const { terminal, log } = setUp()
    terminal.restore()
    expect(log).toEqual([])
    terminal.enterRaw()
    terminal.restore()
    const once = log.length
    terminal.restore()
    expect(log).toHaveLength(once)
  })

  test('is not entered when stdin is no terminal', () => {
    const { terminal, log, process } = setUp({ inputIsTerminal: false })
    terminal.enterRaw()
    terminal.suspend()
    expect(terminal.interactive).toBe(false)
    expect(log).toEqual([])
    expect(process.eventNames()).toEqual([])
  })
})

describe('restoring', () => {
  test('switches off what the node left on, before raw mode is left', () => {
    const { terminal, log } = setUp()
    terminal.enterRaw()
    terminal.write(bytes('\x1b[?1049h\x1b[?25l~'))
    log.length = 0
    terminal.restore()
    expect(log.slice(0, 2)).toEqual(['stdout \x1b[?1049l\x1b[?25h', 'raw false'])
  })

  test('writes nothing into a pipe', () => {
    const { terminal, log } = setUp({ outputIsTerminal: false })
    terminal.enterRaw()
    terminal.write(bytes('\x1b[?1049h'))
    log.length = 0
    terminal.restore()
    expect(log.filter(line => line.startsWith('stdout'))).toEqual([])
  })
})

describe('suspending', () => {
  test('restores the terminal, stops the whole job, and is raw again on SIGCONT', () => {
    const { terminal, log, process } = setUp()
    terminal.enterRaw()
    log.length = 0
    terminal.suspend()
    expect(log).toEqual(['raw false', 'kill 0 SIGTSTP'])
    process.emit('SIGCONT', 'SIGCONT')
    expect(log.slice(2)).toEqual(['raw false', 'raw true', 'stty', 'kill 77 SIGWINCH'])
    terminal.restore()
  })
})

describe('size', () => {
  test('is reported at once on a change of the window', () => {
    const { terminal, stdout } = setUp()
    const seen: unknown[] = []
    terminal.onSize(size => seen.push(size))
    stdout.columns = 60
    stdout.emit('resize')
    expect(seen).toEqual([{ cols: 60, rows: 40 }])
  })

  test('is 80x24 when nothing is a terminal', () => {
    const { terminal } = setUp({ inputIsTerminal: false, outputIsTerminal: false })
    expect(terminal.size()).toEqual({ cols: 80, rows: 24 })
  })

  test('is that of stderr when stdout is a pipe', () => {
    const { terminal, stderr } = setUp({ outputIsTerminal: false })
    Object.assign(stderr, { isTTY: true, columns: 99, rows: 9 })
    expect(terminal.size()).toEqual({ cols: 99, rows: 9 })
  })
})

test('the end of the input is told once, whichever way it comes', () => {
  const { terminal, stdin } = setUp({ inputIsTerminal: false })
  let ends = 0
  terminal.onInputEnd(() => ends++)
  stdin.emit('end')
  stdin.emit('close')
  expect(ends).toBe(1)
})

test('a notice returns the carriage itself while the terminal is raw', () => {
  const { terminal, log } = setUp()
  terminal.notice('one')
  terminal.enterRaw()
  terminal.notice('two\nthree')
  expect(log.filter(line => line.startsWith('stderr'))).toEqual([
    'stderr one\n',
    'stderr \r\ntwo\r\nthree\r\n',
  ])
  terminal.restore()
})

test('a notice is on a line of its own where the node’s output has left one unfinished', () => {
  const { terminal, log, stderr } = setUp()
  stderr.isTTY = true
  terminal.enterRaw()
  terminal.write(bytes('web-1$ '))
  terminal.restore()
  terminal.notice('ended')
  terminal.write(bytes('done\n'))
  terminal.notice('again')
  expect(log.filter(line => line.startsWith('stderr'))).toEqual(['stderr \nended\n', 'stderr again\n'])
})

test('a notice names the session where there are several', () => {
  const { terminal, log } = setUp({ label: '127.0.0.1:80' })
  terminal.notice('[lost]')
  expect(log).toEqual(['stderr 127.0.0.1:80: [lost]\n'])
})
