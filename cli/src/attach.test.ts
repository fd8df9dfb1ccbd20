import { EventEmitter } from 'node:events'
import { SessionGoneError } from '@sallyport/protocol/session-link'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type AttachOptions, attachSession, type RunSession, type SessionOptions } from './attach.ts'
import { ApiError } from './client.ts'
import { CliError } from './errors.ts'
import type { Terminal } from './terminal/terminal.ts'

const SESSION = { sessionId: 's-1', tokenValue: 't-1', streamUrl: 'wss://x/' }

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const setUp = (runSession: RunSession, options: Partial<AttachOptions> = {}) => {
  const calls: unknown[] = []
  let restored = 0
  let outputError: (error: Error) => void = () => {}
  const terminal = {
    restore: () => void restored++,
    onOutputError: (listener: (error: Error) => void) => {
      outputError = listener
    },
  } as unknown as Terminal
  const client = {
    call: async (service: string, operation: string, input: object) => {
      calls.push([service, operation, input])
      return {}
    },
  }
  const process = Object.assign(new EventEmitter(), { ppid: 10 })
  const end = attachSession({
    client,
    session: SESSION,
    terminal,
    runSession,
    process: process as unknown as NonNullable<AttachOptions['process']>,
    ...options,
  })
  return { end, calls, process, restored: () => restored, failOutput: (error: Error) => outputError(error) }
}

const never: RunSession = () => new Promise(() => {})
const TERMINATED = [['ssm', 'TerminateSession', { SessionId: 's-1' }]]

test('a session that ends by itself gives its end, and the terminal and the signals are given back', async () => {
  const { end, calls, process, restored } = setUp(async () => ({ reason: '', exitCode: 3 }))
  expect(await end).toEqual({ reason: '', exitCode: 3 })
  expect(calls).toEqual([])
  expect(restored()).toBeGreaterThan(0)
  expect(process.eventNames()).toEqual([])
})

test('the terminal is given back when the session throws', async () => {
  const { end, restored } = setUp(async () => {
    throw new Error('broken')
  })
  await expect(end).rejects.toThrow('broken')
  expect(restored()).toBeGreaterThan(0)
})

describe('the session is ended on the server', () => {
  test.each([
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('by %s, with exit status %i', async (signal, exitCode) => {
    const { end, calls, process, restored } = setUp(never)
    process.emit(signal, signal)
    expect(await end).toEqual({ reason: `ended by ${signal}`, exitCode })
    expect(calls).toEqual(TERMINATED)
    expect(restored()).toBeGreaterThan(0)
  })

  test('when the reader of stdout has gone', async () => {
    const { end, calls, failOutput } = setUp(never)
    failOutput(new Error('write EPIPE'))
    expect(await end).toEqual({ reason: 'standard output cannot be written: write EPIPE', exitCode: 141 })
    expect(calls).toEqual(TERMINATED)
  })

  test('when the parent has gone, if that was asked for', async () => {
    const { end, calls, process } = setUp(never, { endWithParent: true })
    await vi.advanceTimersByTimeAsync(5000)
    expect(calls).toEqual([])
    process.ppid = 1
    await vi.advanceTimersByTimeAsync(5000)
    expect(await end).toMatchObject({ exitCode: 129 })
    expect(calls).toEqual(TERMINATED)
  })

  test('but a server that does not answer is not waited for', async () => {
    const client = { call: () => new Promise<never>(() => {}) }
    const { end, process } = setUp(never, { client })
    process.emit('SIGTERM', 'SIGTERM')
    await vi.advanceTimersByTimeAsync(3000)
    expect(await end).toMatchObject({ exitCode: 143 })
  })

  test('and a second signal is left to its default action', async () => {
    const { end, process } = setUp(never)
    process.emit('SIGTERM', 'SIGTERM')
    await Promise.resolve()
    expect(process.listenerCount('SIGTERM')).toBe(0)
    await end
  })

  test('but a second hang-up, as the kernel sends when a terminal is closed, changes nothing', async () => {
    const { end, calls, process } = setUp(never)
    process.emit('SIGHUP', 'SIGHUP')
    await Promise.resolve()
    expect(process.listenerCount('SIGHUP')).toBe(1)
    expect(await end).toMatchObject({ exitCode: 129 })
    expect(calls).toEqual(TERMINATED)
    expect(process.eventNames()).toEqual([])
  })
})

test('not when the parent has gone and nobody asked', async () => {
  const { calls, process } = setUp(never)
  process.ppid = 1
  await vi.advanceTimersByTimeAsync(5000)
  expect(calls).toEqual([])
  process.emit('SIGTERM', 'SIGTERM')
})

describe('resuming', () => {
  const gone = new ApiError('DoesNotExistException', 'over', 400)
  const denied = new ApiError('AccessDeniedException', 'no', 400)
  const resumeWith = async (answer: () => unknown) => {
    let resume: SessionOptions['resume'] = async () => undefined
    const { end } = setUp(
      async options => {
        resume = options.resume
        return { reason: '', exitCode: 0 }
      },
      { client: { call: async () => answer() } },
    )
    await end
    return resume()
  }
  const fail = (error: Error) => () => {
    throw error
  }

  test.each([
    ['a new token', () => ({ TokenValue: 't-2' }), { tokenValue: 't-2' }],
    ['no token', () => ({ SessionId: 's-1' }), undefined],
    ['an empty token', () => ({ TokenValue: '' }), undefined],
    ['that it does not exist', fail(gone), undefined],
  ])('a session of which the server says %s', async (_, answer, expected) => {
    expect(await resumeWith(answer)).toEqual(expected)
  })

  test('is over when the server does not let the caller', async () => {
    await expect(resumeWith(fail(denied))).rejects.toThrow(SessionGoneError)
    await expect(resumeWith(fail(new CliError('no credentials')))).rejects.toThrow(
      'The connection was lost and cannot be resumed: no credentials',
    )
  })

  test('any other refusal is passed on, to be tried again', async () => {
    const busy = new ApiError('InternalServerError', 'later', 500)
    await expect(resumeWith(fail(busy))).rejects.toBe(busy)
  })
})
