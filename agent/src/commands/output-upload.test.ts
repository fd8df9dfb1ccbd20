import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ManualClock } from '@sallyport/protocol/manual-clock'
import { expect, onTestFinished, test } from 'vitest'
import { ApiFailure } from '../api-failure.ts'
import { OutputUpload } from './output-upload.ts'
import { eventually } from './testing-node.ts'

type Put = {
  CommandId: string
  InstanceId: string
  PluginName: string
  Stream: string
  Offset: number
  Content: string
}
type Answer = { NextOffset: number; Full: boolean }

/** A server that keeps what it is given, as `PutCommandOutput` says; `fault` may stand in for its answer. */
class KeepingServer {
  readonly kept: Record<string, Buffer> = {}
  readonly puts: Put[] = []
  atOnce = 0
  mostAtOnce = 0
  fault: (put: Put) => Promise<Answer> | undefined = () => undefined

  readonly call = async (_: string, input: object): Promise<unknown> => {
    const put = input as Put
    this.puts.push(put)
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce)
    await new Promise(setImmediate)
    this.atOnce--
    return (await this.fault(put)) ?? this.#keep(put)
  }

  #keep({ Stream, Offset, Content }: Put): Answer {
    const before = this.kept[Stream] ?? Buffer.alloc(0)
    const bytes = Buffer.from(Content, 'base64')
    if (bytes.length > 512 * 1024 || Offset > before.length)
      throw new ApiFailure('x', 400, 'ValidationException', '')
    const after = Buffer.concat([before, bytes.subarray(before.length - Offset)])
    this.kept[Stream] = after
    return { NextOffset: after.length, Full: false }
  }
}

function open(resumed = false) {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-upload-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  mkdirSync(join(directory, 'step'))
  const server = new KeepingServer()
  const clock = new ManualClock()
  const stop = new AbortController()
  const log: string[] = []
  const upload = new OutputUpload({
    server,
    commandId: 'c',
    nodeId: 'mi-1',
    directory,
    resumed,
    signal: stop.signal,
    clock,
    log: message => log.push(message),
  })
  const sink = upload.open('step')
  const write = (stream: 'stdout' | 'stderr', text: string | Buffer) => {
    appendFileSync(join(directory, 'step', stream), text)
    sink.write(stream, Buffer.from(text))
  }
  const finish = () => sink.finish({ stdout: false, stderr: false })
  /** Lets time pass until the promise settles, no faster than files are read. */
  const whole = async (promise: Promise<unknown>) => {
    let settled = false
    void promise.then(() => {
      settled = true
    })
    while (!settled) {
      await stat(directory)
      clock.advance(100)
    }
  }
  return { directory, server, clock, stop, log, upload, write, finish, whole }
}

test('what is short and soon over is not uploaded: the result has it', async () => {
  const { server, clock, write, finish } = open()
  write('stdout', 'x'.repeat(24_000))
  write('stderr', 'x'.repeat(8_000))
  clock.advance(499)
  await finish()
  clock.advance(10_000)
  expect(server.puts).toEqual([])
  expect(clock.pending).toBe(0)
})

test('half a second after its first output a step is followed', async () => {
  const { server, clock, write, finish, whole } = open()
  write('stdout', 'one\n')
  clock.advance(500)
  await eventually(() => server.kept.stdout?.toString()).toBe('one\n')
  expect(server.puts[0]).toMatchObject({
    CommandId: 'c',
    InstanceId: 'mi-1',
    PluginName: 'step',
    Stream: 'stdout',
    Offset: 0,
  })
  write('stderr', 'oh\n')
  await eventually(() => server.kept.stderr?.toString()).toBe('oh\n')
  write('stdout', 'two\n')
  await whole(finish())
  expect(server.kept.stdout?.toString()).toBe('one\ntwo\n')
})

test('more than the result can hold is uploaded at once, whole, in order, one request at a time', async () => {
  for (const stream of ['stdout', 'stderr'] as const) {
    const { server, write, finish, whole } = open()
    const text = Buffer.from(Array.from({ length: 400_000 }, (_, i) => i % 251))
    for (let at = 0; at < text.length; at += 30_000) write(stream, text.subarray(at, at + 30_000))
    await whole(finish())
    expect(server.kept[stream]?.equals(text)).toBe(true)
    expect(server.mostAtOnce).toBe(1)
  }
})

test('while the server is away it is tried again; then nothing is missing and nothing is there twice', async () => {
  const { server, write, finish, whole } = open()
  let calls = 0
  server.fault = () => (++calls % 3 === 0 ? undefined : Promise.reject(new Error('ECONNREFUSED')))
  const text = Buffer.from(Array.from({ length: 700_000 }, (_, i) => i % 251))
  write('stdout', text)
  await whole(finish())
  expect(server.kept.stdout?.equals(text)).toBe(true)
})

test('the offset that the server answers is followed', async () => {
  const { server, write, finish, whole } = open()
  server.kept.stdout = Buffer.from('abcdef')
  write('stdout', 'abcdefghij'.padEnd(30_000, '.'))
  await whole(finish())
  expect(server.kept.stdout?.toString()).toBe('abcdefghij'.padEnd(30_000, '.'))
})

test('after a reboot the output goes on where the server has it', async () => {
  const { directory, server, clock, write, finish, whole } = open(true)
  appendFileSync(join(directory, 'step', 'stdout'), 'before, seen\nbefore, unseen\n')
  server.kept.stdout = Buffer.from('before, seen\n')
  write('stdout', 'after\n')
  await eventually(() => server.kept.stdout?.toString()).toBe('before, seen\nbefore, unseen\nafter\n')
  clock.advance(1_000)
  write('stdout', 'more\n')
  await whole(finish())
  expect(server.kept.stdout?.toString()).toBe('before, seen\nbefore, unseen\nafter\nmore\n')
})

test('a full stream, and one that the server does not want, ends', async () => {
  const { server, write, finish, whole, log } = open()
  server.fault = put => {
    if (put.Stream === 'stdout') return Promise.resolve({ NextOffset: 10, Full: true })
    return Promise.reject(new ApiFailure('PutCommandOutput', 400, 'ValidationException', 'over'))
  }
  write('stdout', 'x'.repeat(600_000))
  write('stderr', 'x'.repeat(600_000))
  await whole(finish())
  expect(server.puts.map(put => put.Stream).sort()).toEqual(['stderr', 'stdout'])
  expect(log).toEqual(['output is not uploaded'])
})

test('the steps of a command wait a minute in all for a server that is away; the upload goes on after it', async () => {
  const { server, clock, write, finish, whole, upload } = open()
  let away = true
  server.fault = () => (away ? Promise.reject(new Error('ECONNREFUSED')) : undefined)
  write('stdout', 'x'.repeat(30_000))
  const before = clock.monotonic()
  await whole(finish())
  const waited = clock.monotonic() - before
  expect(waited).toBeGreaterThanOrEqual(60_000)
  const second = upload.open('second')
  second.write('stdout', Buffer.alloc(30_000))
  await whole(second.finish({ stdout: false, stderr: false }))
  // Some turns of the test, of 100 each.
  expect(clock.monotonic() - before - waited).toBeLessThan(10_000)
  away = false
  const later = () => {
    clock.advance(1_000)
    return server.kept.stdout?.length
  }
  await eventually(later).toBe(30_000)
})

test('an agent that stops waits for no upload', async () => {
  const { server, clock, stop, write, finish } = open()
  server.fault = () => Promise.reject(new Error('ECONNREFUSED'))
  write('stdout', 'x'.repeat(30_000))
  const finished = finish()
  stop.abort()
  await finished
  expect(clock.pending).toBe(0)
})

test('what a program puts in the place of its output is not read', async () => {
  const { directory, server, write, finish, whole } = open()
  const secret = join(directory, 'secret')
  writeFileSync(secret, 'x'.repeat(30_000))
  symlinkSync(secret, join(directory, 'step', 'stderr'))
  write('stdout', 'x'.repeat(30_000))
  await whole(finish())
  expect(server.kept.stderr).toBeUndefined()
})
