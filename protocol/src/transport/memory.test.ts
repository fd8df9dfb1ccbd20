import { expect, test } from 'vitest'
import { decodeUtf8, utf8 } from '../bytes.ts'
import { ManualClock } from '../manual-clock.ts'
import { type LinkFaults, MemoryLink } from './memory.ts'
import type { Connection } from './transport.ts'

function start(faults: Partial<LinkFaults> = {}) {
  const clock = new ManualClock()
  const link = new MemoryLink(clock, faults)
  const heard: string[][] = [[], []]
  const listen = (i: 0 | 1) => {
    const log = heard[i] as string[]
    link.ends[i].events = {
      message: (data, isText) => log.push(`${isText ? 'text' : 'bytes'} ${decodeUtf8(data)}`),
      drain: () => log.push(`drain ${link.ends[i].bufferedBytes}`),
      pong: () => log.push('pong'),
      close: (code, reason) => log.push(`close ${code} ${reason}`),
    }
  }
  return { clock, link, heard, listen, a: link.ends[0] as Connection, b: link.ends[1] as Connection }
}

test('carries bytes and text in order, after the delay, and keeps what comes before anybody listens', () => {
  const { clock, heard, listen, a } = start({ delay: () => 10 })
  listen(0)
  const bytes = utf8('one')
  a.send(bytes)
  bytes.fill(0x78)
  a.send('two')
  expect(a.bufferedBytes).toBe(6)
  clock.advance(9)
  expect(a.bufferedBytes).toBe(6)
  clock.advance(1)
  listen(1)
  expect(heard).toEqual([
    ['drain 3', 'drain 0'],
    ['bytes one', 'text two'],
  ])
})

test('loses, repeats and reorders as it is told', () => {
  const lost = [false, true, false]
  const repeated = [true, false]
  const { clock, link, heard, listen, a } = start({
    lose: () => lost.shift() ?? false,
    duplicate: () => repeated.shift() ?? false,
  })
  listen(1)
  for (const text of ['a', 'b', 'c']) a.send(text)
  clock.advance(10)
  expect(heard[1]).toEqual(['text a', 'text a', 'text c'])
  link.faults.delay = () => 20
  a.send('slow')
  link.faults.delay = () => 1
  a.send('fast')
  clock.advance(20)
  expect(heard[1]?.slice(3)).toEqual(['text fast', 'text slow'])
})

test('an end that is paused hears nothing until it reads on', () => {
  const { clock, heard, listen, a, b } = start()
  listen(0)
  listen(1)
  b.pause()
  a.send('x')
  a.ping()
  clock.advance(10)
  expect(heard[1]).toEqual([])
  expect(heard[0]).not.toContain('pong')
  b.resume()
  expect(heard[1]).toEqual(['text x'])
  a.ping()
  clock.advance(10)
  expect(heard[0]).toContain('pong')
})

test('a close comes after what was sent before it, once, and nothing after it', () => {
  const { clock, heard, listen, a, b } = start()
  listen(0)
  listen(1)
  a.send('last')
  a.close(1_000, 'done')
  a.close(1_000, 'again')
  a.send('late')
  clock.advance(10)
  b.send('later still')
  clock.advance(10)
  expect(heard[1]).toEqual(['text last', 'close 1000 done'])
  expect(heard[0]?.at(-1)).toBe('close 1000 done')
})

test('a cut loses what is under way; a silent path loses everything and says nothing', () => {
  const cut = start()
  cut.listen(0)
  cut.listen(1)
  cut.a.send('x')
  cut.link.cut()
  cut.clock.advance(10)
  expect(cut.heard).toEqual([['close 1006 '], ['close 1006 ']])

  const silent = start()
  silent.listen(0)
  silent.listen(1)
  silent.link.silence()
  silent.a.send('x')
  silent.a.ping()
  silent.b.close(1_000, '')
  silent.clock.advance(10)
  expect(silent.heard).toEqual([[], []])
  silent.a.terminate()
  expect(silent.heard).toEqual([['close 1006 '], []])
})
