import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concatBytes } from '../bytes.ts'
import { SMUX_HEADER_SIZE, SMUX_MAXIMUM_REASON, type SmuxVersion } from './frame.ts'
import { STREAM_WINDOW } from './sending.ts'
import { SESSION_BUFFER, SmuxSession } from './session.ts'
import type { SmuxStream } from './stream.ts'

type Name = 'client' | 'server'
const other = (name: Name): Name => (name === 'client' ? 'server' : 'client')

/** What one end does; `stream` picks one of those that it knows. */
type Action =
  | { do: 'open' }
  | { do: 'write'; stream: number; size: number }
  | { do: 'end' | 'reset' | 'resume'; stream: number }
  | { do: 'carry'; bytes: number; cut: number }
  | { do: 'room'; frames: number }
type Step = { at: Name } & Action

/**
 * The naive second implementation: what each end of a stream has been promised. It knows nothing of frames, turns
 * or windows: bytes that were written arrive in order, ends come after them, resets at most once, then nothing.
 */
class Ledger {
  readonly written = new Map<string, number>()
  readonly read = new Map<string, number>()
  readonly ended = new Set<string>()
  readonly sawEnd = new Set<string>()
  readonly reset = new Set<string>()
  readonly sawReset = new Set<string>()
}

const byteAt = (streamId: number, from: Name, offset: number) =>
  (streamId * 31 + (from === 'client' ? 7 : 0) + offset * 13 + (offset >> 8) * 5) & 0xff

type StreamState = { stream: SmuxStream; stalled: boolean; waits: boolean }

class End {
  readonly name: Name
  readonly session: SmuxSession
  readonly streams: StreamState[] = []
  readonly outbox: Uint8Array[] = []
  room = 3
  /** The other end asked to be spared. */
  spared = false
  outboxBytes = 0
  readonly #ledger: Ledger
  readonly #version: SmuxVersion

  constructor(name: Name, version: SmuxVersion, ledger: Ledger) {
    this.name = name
    this.#version = version
    this.#ledger = ledger
    this.session = new SmuxSession({
      role: name,
      version,
      maximumFrame: 5000,
      send: parts => {
        if (this.room <= 0) throw new Error('a frame was sent where there is no room')
        const chunk = concatBytes(parts)
        expect(chunk.length).toBeLessThanOrEqual(5000 + SMUX_HEADER_SIZE + SMUX_MAXIMUM_REASON)
        this.outbox.push(chunk)
        this.outboxBytes += chunk.length
        return --this.room > 0
      },
      onStream: stream => this.adopt(stream),
      onConsumed: () => {
        this.spared = false
      },
    })
  }

  key(streamId: number, writer: Name): string {
    return `${streamId} from ${writer}`
  }

  adopt(stream: SmuxStream): void {
    const state: StreamState = { stream, stalled: false, waits: false }
    this.streams.push(state)
    const incoming = this.key(stream.id, other(this.name))
    const own = this.key(stream.id, this.name)
    const ledger = this.#ledger
    const alive = () => {
      expect(ledger.sawReset.has(own), `stream ${stream.id}: something follows its reset`).toBe(false)
      expect(ledger.reset.has(own), `stream ${stream.id}: something follows our own reset`).toBe(false)
    }
    stream.events = {
      data: chunk => {
        alive()
        expect(state.stalled, 'data for a reader that stalled').toBe(false)
        expect(ledger.sawEnd.has(incoming)).toBe(false)
        const start = ledger.read.get(incoming) ?? 0
        expect(start + chunk.length).toBeLessThanOrEqual(ledger.written.get(incoming) ?? 0)
        const wanted = Uint8Array.from({ length: chunk.length }, (_, i) =>
          byteAt(stream.id, other(this.name), start + i),
        )
        expect(Buffer.compare(chunk, wanted)).toBe(0)
        ledger.read.set(incoming, start + chunk.length)
        if (start % 3 === 1) state.stalled = true
        return !state.stalled
      },
      end: () => {
        alive()
        expect(ledger.sawEnd.has(incoming), 'an end that is seen twice').toBe(false)
        expect(state.stalled).toBe(false)
        ledger.sawEnd.add(incoming)
        if (this.#version === 1) return
        expect(ledger.ended.has(incoming)).toBe(true)
        expect(ledger.read.get(incoming) ?? 0).toBe(ledger.written.get(incoming) ?? 0)
      },
      reset: () => {
        alive()
        expect(this.#version, 'version 1 has no reset').toBe(2)
        expect(ledger.reset.has(incoming)).toBe(true)
        ledger.sawReset.add(own)
      },
      writable: () => {
        alive()
        expect(state.waits).toBe(true)
        state.waits = false
      },
    }
  }

  pick(number: number): StreamState | undefined {
    return this.streams[number % Math.max(1, this.streams.length)]
  }

  write(state: StreamState, size: number): void {
    const { stream } = state
    const own = this.key(stream.id, this.name)
    if (state.waits || this.#ledger.ended.has(own)) return
    const start = this.#ledger.written.get(own) ?? 0
    const chunk = Uint8Array.from({ length: size }, (_, i) => byteAt(stream.id, this.name, start + i))
    this.#ledger.written.set(own, start + size)
    state.waits = !stream.write(chunk)
  }

  end(state: StreamState): void {
    this.#ledger.ended.add(this.key(state.stream.id, this.name))
    state.stream.end()
  }

  reset(state: StreamState): void {
    const own = this.key(state.stream.id, this.name)
    if (this.#ledger.sawReset.has(own)) return
    this.#ledger.reset.add(own)
    state.stream.reset('enough')
  }

  resume(state: StreamState): void {
    state.stalled = false
    state.stream.resume()
  }
}

class Pair {
  readonly ledger = new Ledger()
  readonly client: End
  readonly server: End
  readonly #version: SmuxVersion

  constructor(version: SmuxVersion) {
    this.#version = version
    this.client = new End('client', version, this.ledger)
    this.server = new End('server', version, this.ledger)
  }

  end(name: Name): End {
    return name === 'client' ? this.client : this.server
  }

  run(step: Step): void {
    const end = this.end(step.at)
    switch (step.do) {
      case 'open':
        if (step.at === 'client' && end.streams.length < 8) end.adopt(end.session.open())
        break
      case 'carry':
        this.carry(step.at, step.bytes, step.cut)
        break
      case 'room':
        end.room = step.frames
        end.session.onRoom()
        break
      default: {
        const state = end.pick(step.stream)
        if (state === undefined) break
        if (step.do === 'write') end.write(state, step.size)
        else if (step.do === 'end') end.end(state)
        else if (step.do === 'reset') end.reset(state)
        else end.resume(state)
      }
    }
    this.checkBounds()
  }

  /** Brings bytes from one end to the other, cut into pieces. */
  carry(from: Name, bytes: number, cut: number): void {
    const sender = this.end(from)
    const receiver = this.end(other(from))
    const stream = concatBytes(sender.outbox.splice(0))
    const now = stream.subarray(0, bytes)
    if (bytes < stream.length) sender.outbox.push(stream.subarray(bytes))
    for (let offset = 0; offset < now.length; offset += cut) {
      if (receiver.spared) {
        sender.outbox.unshift(now.subarray(offset))
        break
      }
      receiver.spared = !receiver.session.receive(now.subarray(offset, offset + cut).slice())
    }
    sender.outboxBytes = sender.outbox.reduce((sum, chunk) => sum + chunk.length, 0)
  }

  checkBounds(): void {
    for (const end of [this.client, this.server]) {
      const perStream = this.#version === 1 ? 0 : 2 * 1024 * 1024
      const unread = (this.#version === 1 ? SESSION_BUFFER + 70_000 : 0) + perStream * end.session.streamCount
      const unsent = end.session.streamCount * (STREAM_WINDOW + 100_000)
      expect(end.session.bufferedBytes).toBeLessThanOrEqual(unread + unsent + 600)
    }
  }

  /** Lets everybody read and carries everything, until nothing moves any more. */
  settle(): void {
    for (let still = 0; still < 3; ) {
      const before = this.#progress()
      for (const name of ['client', 'server'] as const) {
        const end = this.end(name)
        for (const state of end.streams) end.resume(state)
        end.room = 1000
        end.session.onRoom()
        this.carry(name, Number.MAX_SAFE_INTEGER, 65_536)
      }
      still = before === this.#progress() ? still + 1 : 0
    }
  }

  #progress(): string {
    return JSON.stringify([[...this.ledger.read], this.ledger.sawEnd.size, this.ledger.sawReset.size])
  }
}

const stepOf: fc.Arbitrary<Step> = fc
  .tuple(
    fc.constantFrom<Name>('client', 'server'),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant<Action>({ do: 'open' }) },
      {
        weight: 12,
        arbitrary: fc.record({
          do: fc.constant('write' as const),
          stream: fc.nat(7),
          size: fc.oneof(fc.nat(20), fc.nat(9000), fc.nat(400_000)),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ do: fc.constantFrom('end' as const, 'reset' as const), stream: fc.nat(7) }),
      },
      { weight: 6, arbitrary: fc.record({ do: fc.constant('resume' as const), stream: fc.nat(7) }) },
      {
        weight: 10,
        arbitrary: fc.record({
          do: fc.constant('carry' as const),
          bytes: fc.oneof(fc.nat(30), fc.nat(500_000)),
          cut: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 900, max: 70_000 })),
        }),
      },
      {
        weight: 8,
        arbitrary: fc.record({ do: fc.constant('room' as const), frames: fc.integer({ min: 1, max: 40 }) }),
      },
    ),
  )
  .map(([at, action]) => ({ at, ...action }) as Step)
  // Megabytes in pieces of a byte take their time.
  .map(step => (step.do === 'carry' && step.cut < 10 ? { ...step, bytes: step.bytes % 3000 } : step))

describe.each([1, 2] as const)('two sessions of version %i', version => {
  test('keep every promise, however bytes are cut and readers and channels stall', () => {
    fc.assert(
      fc.property(fc.array(stepOf, { maxLength: 80 }), steps => {
        const pair = new Pair(version)
        for (const step of steps) pair.run(step)
        pair.settle()
        const { ledger } = pair
        for (const end of [pair.client, pair.server]) {
          for (const { stream } of end.streams) checkOutcome(end, stream.id)
        }
        expect(pair.client.outbox.length + pair.server.outbox.length).toBe(0)

        function checkOutcome(end: End, id: number): void {
          const outgoing = end.key(id, end.name)
          const incoming = end.key(id, other(end.name))
          const aborted = ledger.reset.has(outgoing) || ledger.reset.has(incoming)
          if (version === 2) {
            if (aborted) {
              const seen = ledger.sawReset.has(outgoing) || ledger.reset.has(outgoing)
              const over = ledger.sawEnd.has(incoming) && ledger.ended.has(outgoing)
              expect(seen || over, `stream ${id}: a reset that nobody saw`).toBe(true)
            } else {
              expect(ledger.read.get(outgoing) ?? 0).toBe(ledger.written.get(outgoing) ?? 0)
              expect(ledger.sawEnd.has(outgoing)).toBe(ledger.ended.has(outgoing))
            }
            return
          }
          const closed = aborted || ledger.ended.has(outgoing) || ledger.ended.has(incoming)
          if (closed) {
            expect(ledger.sawEnd.has(incoming) || ledger.reset.has(outgoing), `stream ${id} has no end`).toBe(
              true,
            )
          } else expect(ledger.read.get(outgoing) ?? 0).toBe(ledger.written.get(outgoing) ?? 0)
        }
      }),
      { numRuns: 400 },
    )
  })

  test('forget streams that are over', () => {
    fc.assert(
      fc.property(fc.array(stepOf, { maxLength: 40 }), steps => {
        const pair = new Pair(version)
        for (const step of steps) pair.run(step)
        for (const end of [pair.client, pair.server]) for (const state of end.streams) end.end(state)
        pair.settle()
        // What the server has never heard of before it ended its own.
        for (const state of pair.server.streams) pair.server.end(state)
        pair.settle()
        expect([pair.client.session.streamCount, pair.server.session.streamCount]).toEqual([0, 0])
        expect([pair.client.session.bufferedBytes, pair.server.session.bufferedBytes]).toEqual([0, 0])
      }),
      { numRuns: 100 },
    )
  })
})

test('a session that is given anything at all goes on or refuses it, within its bounds', () => {
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .tuple(fc.constantFrom(1, 2), fc.nat(6), fc.nat(12), fc.nat(9), fc.uint8Array({ maxLength: 20 }))
      .map(([version, command, length, id, data]) =>
        Uint8Array.from([version, command, length, 0, id, 0, 0, 0, ...data.slice(0, length)]),
      ),
  )
  fc.assert(
    fc.property(
      fc.constantFrom<SmuxVersion>(1, 2),
      fc.array(anything, { maxLength: 30 }),
      (version, chunks) => {
        const session = new SmuxSession({ role: 'server', version, send: () => true })
        try {
          for (const chunk of chunks) session.receive(chunk)
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad-smux-frame' })
          expect(session.streamCount).toBe(0)
        }
        expect(session.bufferedBytes).toBeLessThan(2000)
      },
    ),
    { numRuns: 2000 },
  )
})
