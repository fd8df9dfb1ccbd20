import { describe, expect, test } from 'vitest'
import vectors from '../../vectors/smux.json' with { type: 'json' }
import { concatBytes, fromHex, toHex } from '../bytes.ts'
import { type SmuxVersion, smuxReset } from './frame.ts'
import { STREAM_WINDOW } from './sending.ts'
import { MAXIMUM_STREAMS, SmuxSession } from './session.ts'
import { dataFrames, frame, KIBIBYTE, LoneEnd, server, update } from './testing.ts'

type Step = {
  do?: string
  stream?: number
  data?: string
  reason?: string
  receives?: string
  events?: unknown[]
  sends?: string
}

describe('the vectors', () => {
  test.each(vectors.exchanges)('$name', ({ role, version, steps }) => {
    const end = new LoneEnd({ role: role as 'client' | 'server', version: version as SmuxVersion })
    for (const step of steps as Step[]) {
      const { do: what, stream = 0, data = '', reason = '', receives, events = [], sends = '' } = step
      if (receives !== undefined) end.session.receive(fromHex(receives))
      else if (what === 'open') end.open()
      else if (what === 'write') end.stream(stream).write(fromHex(data))
      else if (what === 'end') end.stream(stream).end()
      else if (what === 'reset') end.stream(stream).reset(reason)
      else throw new Error(`no such step: ${what}`)
      expect(end.takeHappenings()).toEqual(events)
      expect(end.takeSent()).toBe(sends)
    }
  })
})

describe('streams', () => {
  test('that are opened quietly are mentioned with their first bytes, or when they are announced', () => {
    const client = new LoneEnd({ role: 'client', version: 2 })
    const [speaks, waits] = [client.session.open('quietly'), client.session.open('quietly')]
    expect(client.takeSent()).toBe('')
    speaks.write(Uint8Array.of(0x61))
    expect(client.takeSent()).toBe('02000000030000000202010003000000' + '61')
    waits.announce()
    waits.announce()
    expect(client.takeSent()).toBe('0200000005000000')
    speaks.announce()
    expect(client.takeSent()).toBe('')
  })

  test('of a client have the ids 3, 5, 7…', () => {
    const client = new LoneEnd({ role: 'client', version: 2 })
    expect([client.open().id, client.open().id, client.open().id]).toEqual([3, 5, 7])
    expect(client.session.streamCount).toBe(3)
  })

  test('are forgotten once both ends have ended', () => {
    const end = server(2, 3)
    end.stream(3).end()
    expect(end.session.streamCount).toBe(1)
    end.session.receive(frame(2, 'fin', 3))
    expect(end.session.streamCount).toBe(0)
  })

  test('cannot be opened by a server, or beyond the limit, or after the end', () => {
    expect(() => new LoneEnd({ role: 'server', version: 2 }).open()).toThrow(/only the client/)
    const client = new LoneEnd({ role: 'client', version: 2 })
    for (let i = 0; i < MAXIMUM_STREAMS; i++) client.open()
    expect(() => client.open()).toThrow(/streams are open already/)
    client.stream(3).reset()
    client.open()
    client.session.close('done')
    expect(() => client.open()).toThrow(/closed/)
  })

  test('keep what comes before anybody listens, and the end of it', () => {
    const kept: unknown[] = []
    const session = new SmuxSession({
      role: 'server',
      version: 2,
      send: () => true,
      onStream: stream => {
        kept.push(stream)
      },
    })
    session.receive(
      concatBytes([frame(2, 'syn', 3), frame(2, 'psh', 3, fromHex('4142')), frame(2, 'fin', 3)]),
    )
    expect(session.bufferedBytes).toBe(2)
    const listener = server(2)
    listener.watch(kept[0] as Parameters<typeof listener.watch>[0])
    expect(listener.takeHappenings()).toEqual([
      ['data', 3, '4142'],
      ['end', 3],
    ])
  })

  test('tell a listener who comes late that they were reset', () => {
    const client = new LoneEnd({ role: 'client', version: 2 })
    const stream = client.session.open()
    client.session.receive(concatBytes(smuxReset(3, 'too late')))
    client.watch(stream)
    expect(client.takeHappenings()).toEqual([['reset', 3, 'too late']])
  })

  test.each([
    ['version 1, ended without a word', 1, frame(1, 'fin', 3), true],
    [
      'version 1, ended after some',
      1,
      concatBytes([frame(1, 'psh', 3, fromHex('41')), frame(1, 'fin', 3)]),
      false,
    ],
    ['version 2, ended: its other direction goes on', 2, frame(2, 'fin', 3), false],
    ['version 2, aborted', 2, concatBytes(smuxReset(3, 'changed my mind')), true],
  ] as const)('say whether they were given up before anybody listens: %s', (_, version, bytes, expected) => {
    const given: number[] = []
    let sent = 0
    const session = new SmuxSession({
      role: 'server',
      version,
      send: () => {
        sent++
        return true
      },
      onStream: stream => {
        stream.onGivenUp = () => {
          given.push(stream.id)
          stream.reset('nor do we want it')
        }
      },
    })
    session.receive(frame(version, 'syn', 3))
    session.receive(bytes)
    expect(given).toEqual(expected ? [3] : [])
    expect([session.streamCount, sent]).toEqual([expected ? 0 : 1, 0])
  })

  test('that were reset before the peer could hear of them are never mentioned', () => {
    const client = new LoneEnd({ role: 'client', version: 2 })
    client.room = 1
    client.open()
    client.takeSent()
    client.open().reset('changed my mind')
    client.room = 10
    client.session.onRoom()
    expect(client.takeSent()).toBe('')
    expect(client.session.streamCount).toBe(1)
  })

  test('are not written to after their end', () => {
    const end = server(2, 3)
    end.stream(3).end()
    expect(() => end.stream(3).write(fromHex('41'))).toThrow(RangeError)
  })
})

describe('turns', () => {
  test('go round: no stream waits for another that has much to send', () => {
    const end = server(2, 3, 5, 7)
    end.room = 1
    end.stream(3).write(new Uint8Array(1))
    for (const id of [3, 5, 7]) end.stream(id).write(new Uint8Array(200 * KIBIBYTE))
    end.sent = []
    for (let turn = 0; turn < 9; turn++) {
      end.room = 1
      end.session.onRoom()
    }
    const ids = dataFrames(2, end.sent).map(([id]) => id)
    expect(ids).toEqual([3, 5, 7, 3, 5, 7, 3, 5, 7])
  })

  test('let a keystroke pass a flood after one frame', () => {
    const end = server(2, 3, 5)
    end.room = 1
    end.stream(3).write(new Uint8Array(STREAM_WINDOW))
    end.stream(5).write(fromHex('41'))
    end.sent = []
    end.room = 2
    end.session.onRoom()
    expect(dataFrames(2, end.sent)).toEqual([
      [3, 64 * KIBIBYTE - 8],
      [5, 1],
    ])
  })

  test.each([
    [1, 32 * KIBIBYTE],
    [2, 64 * KIBIBYTE],
  ] as const)('of version %i fill %i bytes with one frame', (version, size) => {
    const end = server(version, 3)
    end.stream(3).write(new Uint8Array(size + 1))
    expect(end.sent.map(bytes => bytes.length)).toEqual([size, 8 + 9])
  })

  test('fill what the byte stream takes at once, if that is said', () => {
    const end = new LoneEnd({ role: 'server', version: 2, maximumFrame: 64 * KIBIBYTE + 16 })
    end.session.receive(frame(2, 'syn', 3))
    end.stream(3).write(new Uint8Array(64 * KIBIBYTE))
    expect(end.sent.map(bytes => bytes.length)).toEqual([64 * KIBIBYTE + 16])
    expect(dataFrames(2, end.sent)).toEqual([
      [3, 65_535],
      [3, 1],
    ])
  })

  test('never copy: the parts are views of what was written', () => {
    const chunk = new Uint8Array(100)
    const parts: Uint8Array[] = []
    const session = new SmuxSession({ role: 'client', version: 2, send: given => parts.push(...given) > 0 })
    session.open().write(chunk)
    expect(parts.at(-1)?.buffer).toBe(chunk.buffer)
  })

  test('join what was written in small pieces while there was no room', () => {
    const end = server(2, 3)
    end.room = 1
    for (let i = 0; i < 1000; i++) end.stream(3).write(Uint8Array.of(i))
    end.sent = []
    end.room = 2
    end.session.onRoom()
    expect(dataFrames(2, end.sent)).toEqual([[3, 999]])
  })
})

describe('a writer', () => {
  test('is asked to stop when much waits, told when there is room, and must listen', () => {
    const end = server(2, 3)
    end.room = 1
    end.stream(3).write(new Uint8Array(1))
    expect(end.stream(3).write(new Uint8Array(STREAM_WINDOW))).toBe(false)
    expect(() => end.stream(3).write(new Uint8Array(1))).toThrow(RangeError)
    end.room = 2
    end.session.onRoom()
    expect(end.takeHappenings()).toEqual([['writable', 3]])
    expect(end.stream(3).write(new Uint8Array(1))).toBe(true)
  })

  test('of version 2 sends the window and no more until the peer has consumed some', () => {
    const end = server(2, 3)
    end.stream(3).write(new Uint8Array(STREAM_WINDOW + 10))
    const total = () => dataFrames(2, end.sent).reduce((sum, [, size]) => sum + size, 0)
    expect(total()).toBe(STREAM_WINDOW)
    end.session.receive(update(3, 4, STREAM_WINDOW))
    expect(total()).toBe(STREAM_WINDOW + 4)
    end.session.receive(update(3, 4, STREAM_WINDOW + 100))
    expect(total()).toBe(STREAM_WINDOW + 10)
  })

  test('of version 2 waits when the window shrinks below what is under way', () => {
    const end = server(2, 3)
    end.stream(3).write(new Uint8Array(100))
    end.session.receive(update(3, 0, 50))
    end.stream(3).write(new Uint8Array(10))
    expect(dataFrames(2, end.sent)).toEqual([[3, 100]])
    end.session.receive(update(3, 60, 50))
    expect(dataFrames(2, end.sent)).toEqual([
      [3, 100],
      [3, 10],
    ])
  })

  test('of version 2 that has ended says so after the last byte, however long that waits', () => {
    const end = server(2, 3)
    end.stream(3).write(new Uint8Array(STREAM_WINDOW + 10))
    end.stream(3).end()
    end.sent = []
    end.session.receive(update(3, 9, STREAM_WINDOW))
    end.session.receive(update(3, 10, STREAM_WINDOW))
    const last = [
      frame(2, 'psh', 3, new Uint8Array(9)),
      frame(2, 'psh', 3, new Uint8Array(1)),
      frame(2, 'fin', 3),
    ]
    expect(end.takeSent()).toBe(toHex(concatBytes(last)))
  })

  test('whose counters turn over at 2³² goes on', () => {
    let sent = 0
    const client = new SmuxSession({
      role: 'client',
      version: 2,
      send: parts => {
        for (const part of parts) if (part.length > 16) sent += part.length
        return true
      },
    })
    const stream = client.open()
    const chunk = new Uint8Array(2 ** 24)
    client.receive(update(3, 0, chunk.length))
    for (let written = chunk.length; written <= 2 ** 32 + 4 * chunk.length; written += chunk.length) {
      expect(stream.write(chunk)).toBe(true)
      client.receive(update(3, written % 2 ** 32, chunk.length))
      expect([sent, client.bufferedBytes]).toEqual([written, 0])
    }
  })

  test.each([true, false])(
    'of version 1 whose peer has closed loses what waits (reader stalled: %s)',
    stalled => {
      const end = server(1, 3)
      if (stalled) end.stalled.add(3)
      end.session.receive(concatBytes([frame(1, 'psh', 3, fromHex('41')), frame(1, 'psh', 3, fromHex('42'))]))
      end.room = 1
      end.stream(3).write(new Uint8Array(1))
      end.stream(3).write(new Uint8Array(1000))
      end.takeSent()
      end.session.receive(frame(1, 'fin', 3))
      end.room = 10
      end.session.onRoom()
      end.stream(3).end()
      expect(end.takeSent()).toBe('')
      end.stream(3).resume()
      end.stream(3).resume()
      expect(end.session.streamCount).toBe(0)
    },
  )
})

test('closing a session resets every stream with the reason, once', () => {
  const end = server(2, 3, 5)
  end.session.close('the node went away')
  end.session.close('again')
  expect(end.takeHappenings()).toEqual([
    ['reset', 3, 'the node went away'],
    ['reset', 5, 'the node went away'],
  ])
  expect(end.stream(3).write(fromHex('41'))).toBe(true)
  end.stream(3).end()
  expect(end.takeSent()).toBe('')
})
