import { describe, expect, test } from 'vitest'
import { concatBytes, fromHex, toHex } from '../bytes.ts'
import { type SmuxVersion, smuxReset } from './frame.ts'
import { STREAM_WINDOW } from './sending.ts'
import { MAXIMUM_REFUSALS, MAXIMUM_STREAMS, SESSION_BUFFER, SmuxSession } from './session.ts'
import type { SmuxStream } from './stream.ts'
import { flood, frame, KIBIBYTE, LoneEnd, server, update } from './testing.ts'

describe('a reader that stalls', () => {
  test('gets no more until it resumes, and then in order', () => {
    const end = server(2, 3)
    end.stalled.add(3)
    for (const byte of ['41', '42', '43']) end.session.receive(frame(2, 'psh', 3, fromHex(byte)))
    end.session.receive(frame(2, 'fin', 3))
    expect(end.takeHappenings()).toEqual([['data', 3, '41']])
    expect(end.session.bufferedBytes).toBe(2)
    end.stalled.clear()
    end.stream(3).resume()
    expect(end.takeHappenings()).toEqual([
      ['data', 3, '4243'],
      ['end', 3],
    ])
  })

  test('of version 2 stops its own stream and no other', () => {
    const end = server(2, 3, 5)
    end.stalled.add(3)
    expect(end.session.receive(flood(2, 3, STREAM_WINDOW))).toBe(true)
    expect(end.session.bufferedBytes).toBe(STREAM_WINDOW - 32 * KIBIBYTE)
    end.takeHappenings()
    expect(end.session.receive(frame(2, 'psh', 5, fromHex('41')))).toBe(true)
    expect(end.takeHappenings()).toEqual([['data', 5, '41']])
    expect(() => end.session.receive(flood(2, 3, 1))).toThrow(/beyond the window/)
  })

  test('of version 1 stops the session at its bound, until it has read on', () => {
    const end = server(1, 3, 5)
    end.stalled.add(3)
    end.session.receive(flood(1, 3, 32 * KIBIBYTE))
    expect(end.session.receive(flood(1, 3, SESSION_BUFFER - 1))).toBe(true)
    expect(end.session.receive(flood(1, 5, 1))).toBe(true)
    expect(end.session.receive(flood(1, 3, 1))).toBe(false)
    expect(end.session.bufferedBytes).toBe(SESSION_BUFFER)
    end.takeHappenings()
    end.stream(3).resume()
    expect(end.takeHappenings().map(([what]) => what)).toEqual(['data', 'consumed'])
  })

  test('of version 1 does not let the session go on before it is below its bound', () => {
    const end = server(1, 3)
    end.stalled.add(3)
    expect(end.session.receive(flood(1, 3, SESSION_BUFFER + 65 * KIBIBYTE))).toBe(false)
    end.takeHappenings()
    const step = () => {
      end.stream(3).resume()
      return end.takeHappenings().map(([what]) => what)
    }
    expect(step()).toEqual(['data'])
    expect(end.session.congested).toBe(true)
    expect([step(), step()]).toEqual([['data', 'consumed'], ['data']])
  })

  test('of version 1 stops the session no longer once its stream is reset', () => {
    const end = server(1, 3)
    end.stalled.add(3)
    expect(end.session.receive(flood(1, 3, SESSION_BUFFER + 64 * KIBIBYTE))).toBe(false)
    end.takeHappenings()
    end.stream(3).reset()
    expect(end.takeHappenings()).toEqual([['consumed']])
    expect(end.session.bufferedBytes).toBe(0)
  })

  test('is not overtaken when it resumes from where it is called', () => {
    const order: number[] = []
    const opened: SmuxStream[] = []
    const session = new SmuxSession({
      role: 'server',
      version: 2,
      send: () => true,
      onStream: stream => opened.push(stream),
    })
    session.receive(frame(2, 'syn', 3))
    // Of a size that is not gathered.
    for (const byte of [1, 2, 3]) session.receive(frame(2, 'psh', 3, new Uint8Array(5000).fill(byte)))
    const [stream] = opened
    if (stream === undefined) throw new Error('no stream')
    stream.events = {
      data: chunk => {
        stream.resume()
        if (order.length === 0) session.receive(frame(2, 'psh', 3, new Uint8Array(5000).fill(4)))
        if (order.length === 1) session.receive(frame(2, 'fin', 3))
        order.push(chunk[0] ?? 0)
        return false
      },
      end: () => order.push(-1),
      reset: () => undefined,
      writable: () => undefined,
    }
    expect(order).toEqual([1, 2, 3, 4, -1])
  })

  test('is not handed a small piece that keeps a large buffer alive', () => {
    const handed: Uint8Array[] = []
    const session = new SmuxSession({
      role: 'server',
      version: 2,
      send: () => true,
      onStream: stream => {
        stream.events = {
          data: chunk => handed.push(chunk) > 0,
          end: () => undefined,
          reset: () => undefined,
          writable: () => undefined,
        }
      },
    })
    const junk = frame(2, 'psh', 99, new Uint8Array(60_000))
    session.receive(concatBytes([frame(2, 'syn', 3), frame(2, 'psh', 3, fromHex('41')), junk]))
    expect(handed.map(chunk => chunk.buffer.byteLength)).toEqual([1])
  })

  test('hears of a reset at once', () => {
    const end = server(2, 3)
    end.stalled.add(3)
    end.session.receive(flood(2, 3, 64 * KIBIBYTE))
    end.takeHappenings()
    end.session.receive(concatBytes(smuxReset(3, 'gone')))
    expect(end.takeHappenings()).toEqual([['reset', 3, 'gone']])
    expect(end.session.bufferedBytes).toBe(0)
  })
})

describe('a window', () => {
  test('is widened when a lone reader consumes, and the peer may use all of it', () => {
    const end = server(2, 3)
    end.session.receive(flood(2, 3, 64 * KIBIBYTE))
    expect(end.takeSent()).toBe(toHex(update(3, 64 * KIBIBYTE, 2 * KIBIBYTE * KIBIBYTE)))
    end.stalled.add(3)
    end.session.receive(flood(2, 3, 2 * KIBIBYTE * KIBIBYTE))
    expect(() => end.session.receive(flood(2, 3, 1))).toThrow(/beyond the window/)
  })

  test('is announced once a reader that stalled goes on', () => {
    const end = server(2, 3)
    end.stalled.add(3)
    end.session.receive(flood(2, 3, STREAM_WINDOW))
    expect(end.takeSent()).toBe('')
    end.stalled.clear()
    end.stream(3).resume()
    expect(end.takeSent()).toBe(toHex(update(3, STREAM_WINDOW, 2 * KIBIBYTE * KIBIBYTE)))
  })

  test('is not talked about by a reader of a few bytes', () => {
    const end = server(2, 3)
    for (let i = 0; i < 100; i++) end.session.receive(flood(2, 3, 100))
    expect(end.takeSent()).toBe('')
  })

  test('stays small when there are many streams', () => {
    const ids = Array.from({ length: MAXIMUM_STREAMS }, (_, i) => 2 * i + 3)
    const end = server(2, ...ids)
    end.session.receive(flood(2, 3, STREAM_WINDOW / 2))
    expect(end.takeSent()).toBe(toHex(update(3, STREAM_WINDOW / 2, STREAM_WINDOW)))
  })
})

describe('a peer that breaks the protocol', () => {
  const damage = expect.objectContaining({ code: 'bad-smux-frame' })

  test.each<[string, SmuxVersion, Uint8Array]>([
    ['opens a stream twice', 2, frame(2, 'syn', 3)],
    ['opens a stream twice, in version 1', 1, frame(1, 'syn', 3)],
    ['opens a stream of the server', 2, frame(2, 'syn', 4)],
    ['opens stream 0', 2, frame(2, 'syn', 0)],
    ['sends data after its end', 2, concatBytes([frame(2, 'fin', 3), flood(2, 3, 1)])],
    ['consumed more than it got', 2, update(3, 11, 1000)],
    ['takes back what it consumed', 2, concatBytes([update(3, 5, 1000), update(3, 4, 1000)])],
    ['grants a window that overflows', 2, update(3, 0, 0x8000_0000)],
    ['grants the largest window there is', 2, update(3, 0, 0xffff_ffff)],
    ['speaks another version', 2, frame(1, 'nop', 0)],
  ])('and %s loses the session', (_what, version, bytes) => {
    const end = server(version, 3, 5)
    end.stream(3).write(new Uint8Array(10))
    expect(() => end.session.receive(bytes)).toThrow(damage)
    expect(end.takeHappenings().filter(([what]) => what === 'reset')).toHaveLength(2)
    expect(end.session.streamCount).toBe(0)
    expect(end.session.bufferedBytes).toBe(0)
    expect(end.session.receive(flood(version, 3, 100))).toBe(true)
    expect(end.takeHappenings()).toEqual([])
  })

  test('and opens a stream towards a client loses the session', () => {
    const client = new LoneEnd({ role: 'client', version: 1 })
    expect(() => client.session.receive(frame(1, 'syn', 2))).toThrow(damage)
  })

  test.each([1, 2] as const)(
    'and opens too many streams is refused, then thrown out (version %i)',
    version => {
      const end = server(version)
      const ids = Array.from({ length: 100_000 }, (_, i) => 2 * i + 3)
      const opened = concatBytes(ids.slice(0, MAXIMUM_STREAMS).map(id => frame(version, 'syn', id)))
      end.session.receive(opened)
      expect(end.takeSent()).toBe('')
      const next = ids[MAXIMUM_STREAMS] ?? 0
      end.session.receive(frame(version, 'syn', next))
      const refusal = end.takeSent()
      expect(refusal.slice(0, 4)).toBe(version === 1 ? '0101' : '0205')
      expect(end.session.streamCount).toBe(MAXIMUM_STREAMS)
      // One that ends makes room for one that begins.
      end.stream(3).reset()
      end.session.receive(frame(version, 'syn', next))
      expect(end.session.streamCount).toBe(MAXIMUM_STREAMS)
      const rest = concatBytes(ids.slice(MAXIMUM_STREAMS + 1).map(id => frame(version, 'syn', id)))
      expect(() => end.session.receive(rest)).toThrow(/goes on opening streams/)
      expect(end.session.streamCount).toBe(0)
      expect(end.sent.length).toBeLessThan(MAXIMUM_REFUSALS + 10)
    },
  )

  test('only does so if no stream ends in between', () => {
    const end = server(2, ...Array.from({ length: MAXIMUM_STREAMS }, (_, i) => 2 * i + 3))
    let id = 2 * MAXIMUM_STREAMS + 3
    for (let round = 0; round < 3; round++, id += 2) {
      for (let i = 0; i < MAXIMUM_REFUSALS; i++, id += 2) end.session.receive(frame(2, 'syn', id))
      end.stream(2 * round + 3).reset()
      end.session.receive(frame(2, 'syn', id))
    }
    expect(end.session.streamCount).toBe(MAXIMUM_STREAMS)
  })

  test('and takes nothing while it opens streams is held to the same bound', () => {
    const end = server(2)
    end.room = 1
    const ids = Array.from({ length: 100_000 }, (_, i) => 2 * i + 3)
    expect(() => end.session.receive(concatBytes(ids.map(id => frame(2, 'syn', id))))).toThrow(damage)
    expect(end.sent.length).toBe(1)
  })

  test('and asks for resets that it does not take cannot open more streams meanwhile', () => {
    const end = server(2, 3)
    end.room = 1
    end.stream(3).write(fromHex('41'))
    for (let id = 5; id < 5 + 2 * (MAXIMUM_STREAMS - 1); id += 2) {
      end.session.receive(frame(2, 'syn', id))
      end.stream(id).reset('no')
    }
    expect(end.session.streamCount).toBe(MAXIMUM_STREAMS)
    end.room = Number.POSITIVE_INFINITY
    end.session.onRoom()
    expect(end.session.streamCount).toBe(1)
  })
})

describe('frames for streams that are not there', () => {
  test.each([1, 2] as const)('are skipped, in version %i', version => {
    const end = server(version, 3)
    end.stream(3).reset('enough')
    end.takeSent()
    end.session.receive(
      concatBytes([flood(version, 3, 100_000), frame(version, 'fin', 3), frame(version, 'fin', 7)]),
    )
    if (version === 2) end.session.receive(concatBytes([update(3, 0, 5), ...smuxReset(3, 'me too')]))
    expect(end.takeHappenings()).toEqual([])
    expect(end.takeSent()).toBe('')
    expect(end.session.bufferedBytes).toBe(0)
  })

  test('are skipped while the reset still waits for room', () => {
    const end = server(2, 3)
    end.room = 1
    end.stream(3).write(fromHex('41'))
    end.stream(3).reset('enough')
    end.session.receive(concatBytes([flood(2, 3, STREAM_WINDOW + 1), frame(2, 'fin', 3), flood(2, 3, 1)]))
    end.takeSent()
    end.room = 1
    end.session.onRoom()
    expect(end.takeSent()).toBe(toHex(concatBytes(smuxReset(3, 'enough'))))
  })
})
