import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toHex } from './bytes.ts'
import { DataChannel, STOCK_LIMITS } from './data-channel.ts'
import { limitsOf } from './handshake.ts'
import { INCOMING_LIMIT } from './incoming.ts'
import { ManualClock } from './manual-clock.ts'
import { decodeMessage, encodeMessage } from './message.ts'
import { MessageFlag, MessageType, PayloadType } from './message-types.ts'
import type { SendLimits } from './outgoing.ts'
import { acknowledgePayload } from './payloads.ts'
import { MemoryLink } from './transport/memory.ts'
import { nodeCrypto } from './transport/node-crypto.ts'
import type { Connection } from './transport/transport.ts'
import { newUuid } from './uuid.ts'

// Whole channels over bad networks: every byte must arrive once and in order, in bounded memory, and in the end
// nothing may be left under way. Time is virtual; all chance comes from one seed, which fast-check prints.

const TICK = 50
/** More virtual time than any case needs, ms. */
const PATIENCE = 30 * 60_000

/** What both kinds of end have in common, as a test drives them. */
type End = {
  connected(transmit: (frame: Uint8Array) => void): void
  disconnected(): void
  receive(frame: Uint8Array): void
  /** Answers false for: not now. */
  send(data: Uint8Array): boolean
  tick(): void
  readonly drained: boolean
  readonly bufferedBytes: number
  readonly received: Uint8Array[]
}

type Chance = (probability: number) => boolean

/** Mulberry32: small, seeded and good enough to be unkind. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Our own end, with a consumer that is busy now and then. */
function ownEnd(role: 'agent' | 'client', clock: ManualClock, chance: Chance, limits?: SendLimits): End {
  const received: Uint8Array[] = []
  let transmit: (frame: Uint8Array) => void = () => {}
  const flush = () => clock.soon(() => channel.flush())
  const channel: DataChannel = new DataChannel({
    role,
    crypto: nodeCrypto,
    now: clock.now,
    transmit: frame => transmit(frame),
    deliver: (_, payload) => {
      if (chance(0.1)) {
        clock.after(chance(0.1) ? 3_000 : 20, () => {
          channel.resume()
          flush()
        })
        return false
      }
      received.push(payload.slice())
      return true
    },
  })
  if (limits !== undefined) channel.agree(limits)
  return {
    received,
    connected(newTransmit) {
      transmit = newTransmit
      channel.connected()
    },
    disconnected: () => channel.disconnected(),
    receive(frame) {
      channel.receive(frame)
      flush()
    },
    send(data) {
      if (!channel.writable) return false
      channel.send(PayloadType.output, data)
      return true
    },
    tick: () => channel.tick(),
    get drained() {
      return channel.drained
    },
    get bufferedBytes() {
      return channel.bufferedBytes
    },
  }
}

/**
 * A stock endpoint as data-plane.md 10 tells it, and no cleverer: only the head is ever repeated, nothing is
 * cumulative, there is no window; a plugin acknowledges nothing twice.
 */
function stockEnd(role: 'agent' | 'plugin', clock: ManualClock): End {
  const [sends, receives] =
    role === 'agent'
      ? [MessageType.outputStreamData, MessageType.inputStreamData]
      : [MessageType.inputStreamData, MessageType.outputStreamData]
  const received: Uint8Array[] = []
  const early = new Map<number, Uint8Array>()
  const list: Array<{ number: number; frame: Uint8Array; sentAt: number }> = []
  let transmit: ((frame: Uint8Array) => void) | undefined
  let next = 0
  let expected = 0
  const encode = (messageType: string, sequenceNumber: number, payloadType: number, payload: Uint8Array) => {
    const createdDate = clock.now()
    const messageId = newUuid(nodeCrypto)
    const flags = MessageFlag.none
    return encodeMessage(nodeCrypto, {
      messageType,
      createdDate,
      sequenceNumber,
      flags,
      messageId,
      payloadType,
      payload,
    })
  }
  const acknowledge = (number: number, messageId: string) => {
    const payload = acknowledgePayload.encode({
      AcknowledgedMessageType: receives,
      AcknowledgedMessageId: messageId,
      AcknowledgedMessageSequenceNumber: number,
      IsSequentialMessage: true,
    })
    transmit?.(encode(MessageType.acknowledge, 0, PayloadType.none, payload))
  }
  return {
    received,
    connected(newTransmit) {
      transmit = newTransmit
    },
    disconnected() {
      transmit = undefined
    },
    receive(frame) {
      const message = decodeMessage(nodeCrypto, frame)
      if (message.messageType === MessageType.acknowledge) {
        const number = acknowledgePayload.decode(message.payload).AcknowledgedMessageSequenceNumber
        const index = list.findIndex(entry => entry.number === number)
        if (index !== -1) list.splice(index, 1)
      }
      if (message.messageType !== receives) return
      const { sequenceNumber, messageId, payload } = message
      if (sequenceNumber >= expected || role === 'agent') acknowledge(sequenceNumber, messageId)
      if (sequenceNumber < expected) return
      early.set(sequenceNumber, payload.slice())
      for (let data = early.get(expected); data !== undefined; data = early.get(expected)) {
        early.delete(expected++)
        received.push(data)
      }
    },
    send(data) {
      if (transmit === undefined) return false
      const frame = encode(sends, next, PayloadType.output, data)
      list.push({ number: next++, frame, sentAt: clock.now() })
      transmit(frame)
      return true
    },
    tick() {
      const head = list[0]
      if (head === undefined || clock.now() - head.sentAt <= 200) return
      if (role === 'agent') head.sentAt = clock.now()
      transmit?.(head.frame)
    },
    get drained() {
      return list.length === 0
    },
    bufferedBytes: 0,
  }
}

type Network = { loss: number; duplication: number; jitter: number; cuts: number }

type Run = {
  seed: number
  network: Network
  chunks: number
  ends: (clock: ManualClock, chance: Chance) => readonly [End, End]
  /** How many of the two ends, from the first, must have been acknowledged everything. */
  drained?: 0 | 1 | 2
}

/** Runs both ends against each other until all bytes are there; answers the largest buffer that either had. */
function run({ seed, network, chunks, ends: create, drained = 2 }: Run): number {
  const clock = new ManualClock()
  const random = randomFrom(seed)
  const chance: Chance = probability => random() < probability
  const ends = create(clock, chance)
  let cuts = network.cuts
  const sources = ends.map(() =>
    Array.from({ length: chunks }, () =>
      Uint8Array.from({ length: 1 + Math.floor(random() * 900) }, () => random() * 256),
    ),
  )
  const queues = sources.map(chunk => [...chunk])
  const expected = sources.map(source => toHex(Buffer.concat(source)))
  const endedAt = clock.now() + PATIENCE
  let largest = 0
  let isOver = false

  const connect = () => {
    const link = new MemoryLink(clock, {
      delay: () => 5 + random() * network.jitter,
      lose: () => chance(network.loss),
      duplicate: () => chance(network.duplication),
    })
    ends.forEach((end, i) => {
      const connection = link.ends[i] as Connection
      connection.events = {
        message: data => end.receive(data),
        drain: () => {},
        pong: () => {},
        close: () => end.disconnected(),
      }
      end.connected(frame => connection.send(frame))
    })
    if (cuts-- <= 0) return
    clock.after(200 + random() * 4_000, () => {
      link.cut()
      clock.after(random() * 500, connect)
    })
  }
  const everyTick = () => {
    ends.forEach((end, i) => {
      const queue = queues[i] ?? []
      while (chance(0.7) && queue[0] !== undefined && end.send(queue[0])) queue.shift()
      end.tick()
      largest = Math.max(largest, end.bufferedBytes)
    })
    if (!isOver) clock.after(TICK, everyTick)
  }
  const whole = (end: End, source: string | undefined) => toHex(Buffer.concat(end.received)) === source
  connect()
  everyTick()
  while (!isOver && clock.now() < endedAt) {
    clock.advance(1_000)
    isOver =
      queues.every(queue => queue.length === 0) &&
      ends.slice(0, drained).every(end => end.drained) &&
      ends.every(end => end.received.length >= chunks)
  }
  expect(ends.map((end, i) => whole(end, expected[1 - i]))).toEqual([true, true])
  expect(ends.slice(0, drained).map(end => end.drained)).not.toContain(false)
  return largest
}

const networks = (cuts: number): fc.Arbitrary<Network> =>
  fc.record({
    loss: fc.double({ min: 0, max: 0.3, noNaN: true }),
    duplication: fc.double({ min: 0, max: 0.3, noNaN: true }),
    jitter: fc.integer({ min: 0, max: 300 }),
    cuts: fc.integer({ min: 0, max: cuts }),
  })

const seeds = fc.integer()
/** Of 900 bytes and a header: the producers look at the window before each. */
const LARGEST_FRAME = 1_100

describe('two ends of our own', () => {
  test.each([
    ['as strangers', undefined],
    ['with Sallyport/1', limitsOf({ payload: 1024, window: 16 * 1024 })],
  ])('%s lose nothing, repeat nothing and hold no more than they may', (_, agreed) => {
    const { window } = agreed ?? STOCK_LIMITS
    fc.assert(
      fc.property(seeds, networks(4), (seed, network) => {
        const largest = run({
          seed,
          network,
          chunks: 150,
          ends: (clock, chance) => [
            ownEnd('agent', clock, chance, agreed),
            ownEnd('client', clock, chance, agreed),
          ],
        })
        expect(largest).toBeLessThanOrEqual(window + LARGEST_FRAME + INCOMING_LIMIT)
      }),
      { numRuns: 7 },
    )
  })

  test('with Sallyport/1 on a network that loses nothing, hold two windows at most', () => {
    const agreed = limitsOf({ payload: 1024, window: 16 * 1024 })
    const network = { loss: 0, duplication: 0, jitter: 0, cuts: 0 }
    fc.assert(
      fc.property(seeds, seed => {
        const ends = (clock: ManualClock, chance: Chance) =>
          [ownEnd('agent', clock, chance, agreed), ownEnd('client', clock, chance, agreed)] as const
        const largest = run({ seed, network, chunks: 150, ends })
        expect(largest).toBeLessThanOrEqual(2 * (agreed.window + LARGEST_FRAME))
      }),
      { numRuns: 3 },
    )
  })
})

describe('with stock endpoints', () => {
  test('our client and a stock agent: everything arrives and is acknowledged', () => {
    fc.assert(
      fc.property(seeds, networks(4), (seed, network) => {
        run({
          seed,
          network,
          chunks: 60,
          ends: (clock, chance) => [stockEnd('agent', clock), ownEnd('client', clock, chance)],
        })
      }),
      { numRuns: 7 },
    )
  })

  test('our agent and a stock plugin: everything arrives, although lost acknowledgements never come again', () => {
    fc.assert(
      fc.property(seeds, networks(4), (seed, network) => {
        run({
          seed,
          network,
          chunks: 60,
          drained: 1,
          ends: (clock, chance) => [stockEnd('plugin', clock), ownEnd('agent', clock, chance)],
        })
      }),
      { numRuns: 7 },
    )
  })
})
