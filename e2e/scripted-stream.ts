import type { RecordedFrame } from './recording.ts'
import type { ScriptedConnection } from './scripted-connection.ts'
import { frameBytes, type ReadFrame, readFrame, recordedFrame, templatePayload } from './scripted-frames.ts'
import type { WireUnit } from './wire-reader.ts'

const TICK_MS = 100
const RTO_MS = 200
/** What the stock programs put into one message at most (data-plane.md 10.6). */
export const STOCK_PAYLOAD = 1024

type Side = 'agent' | 'plugin'

const SIDES = {
  agent: {
    sends: 'output_stream_data',
    takes: 'input_stream_data',
    first: () => recordedFrame('agent-shell', /output_stream_data.*"sequenceNumber":0/),
    next: () => recordedFrame('agent-shell', /output_stream_data.*"sequenceNumber":1/),
    acknowledge: () => recordedFrame('agent-shell', /"acknowledge /),
  },
  plugin: {
    sends: 'input_stream_data',
    takes: 'output_stream_data',
    first: () => recordedFrame('plugin-shell', /input_stream_data.*"payloadType":1/),
    next: () => recordedFrame('plugin-shell', /input_stream_data.*"payloadType":1/),
    acknowledge: () => recordedFrame('plugin-shell', /"acknowledge /),
  },
} as const

type Sent = { sequenceNumber: number; frame: Buffer; at: number }

/**
 * The reliable stream of one stock program, with its ways (data-plane.md 10): numbers that all payload types share,
 * one acknowledgement for each message, only the head of the list sent again. An agent acknowledges a repeated message
 * once more, a plugin never does.
 */
export class ScriptedStream {
  /** Everything that came, in the order in which it came. */
  readonly frames: Array<ReadFrame & { at: number }> = []
  /** What the other end's stream messages carried, in the order of their numbers. */
  readonly delivered: Array<Pick<ReadFrame, 'payloadType' | 'payload'>> = []
  readonly side: Side
  /** How often a message was sent again. */
  repetitions = 0
  paused = false
  /** Takes what comes, but says nothing of it: as if the acknowledgement were lost on its way. */
  mute = false
  /** What the other end acknowledges does not arrive. */
  loseAcknowledgements = false
  /** Set by the test's peer. */
  onMessage: (frame: ReadFrame) => void = () => undefined
  /** A stock reader that is hit by a frame it cannot take is deaf from then on. */
  broken: Error | undefined
  readonly #templates: { first: RecordedFrame; next: RecordedFrame; acknowledge: RecordedFrame }
  readonly #early = new Map<number, ReadFrame>()
  readonly #waiting = new Set<() => void>()
  readonly #timer: NodeJS.Timeout
  #connection: ScriptedConnection | undefined
  #unacknowledged: Sent[] = []
  #next = 0
  #expected = 0

  constructor(side: Side) {
    this.side = side
    const { first, next, acknowledge } = SIDES[side]
    this.#templates = { first: first(), next: next(), acknowledge: acknowledge() }
    this.#timer = setInterval(() => this.#repeat(), TICK_MS)
    this.#timer.unref()
  }

  get unacknowledged(): number {
    return this.#unacknowledged.length
  }

  get text(): string {
    const output = this.delivered.filter(({ payloadType }) => payloadType === 1)
    return Buffer.concat(output.map(({ payload }) => payload)).toString()
  }

  attach(connection: ScriptedConnection): void {
    this.#connection = connection
    this.paused = false
  }

  dispose(): void {
    clearInterval(this.#timer)
    this.#connection?.destroy()
  }

  /** Sends one message of the stream, whatever its type. */
  send(payloadType: number, payload: Uint8Array | string): void {
    const sequenceNumber = this.#next++
    const template = sequenceNumber === 0 ? this.#templates.first : this.#templates.next
    const frame = frameBytes({ ...template, payloadType }, Buffer.from(payload), sequenceNumber)
    this.#unacknowledged.push({ sequenceNumber, frame, at: Date.now() })
    if (!this.paused) this.#connection?.send('binary', frame)
  }

  /** A frame that is not of the stream. */
  sendFrame(template: RecordedFrame, payload: Uint8Array): void {
    this.#connection?.send('binary', frameBytes(template, payload))
  }

  /** Waits until it is so; looks again after whatever comes. */
  async until(condition: (stream: this) => boolean, timeoutMs = 10_000): Promise<void> {
    const end = Date.now() + timeoutMs
    while (!condition(this)) {
      if (this.broken !== undefined) throw this.broken
      if (Date.now() > end) throw new Error(`it did not come about: ${condition}; ${this.#summary()}`)
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, TICK_MS)
        this.#waiting.add(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  receive = (unit: WireUnit): void => {
    try {
      if (this.broken !== undefined) return
      if (unit.kind !== 'binary') throw new Error(`a ${unit.kind} frame deafens a stock program`)
      const frame = readFrame(unit.body)
      this.frames.push({ ...frame, at: Date.now() })
      this.onMessage(frame)
      this.#take(frame)
    } catch (error) {
      this.broken = error as Error
    }
    for (const wake of [...this.#waiting]) wake()
    this.#waiting.clear()
  }

  #take(frame: ReadFrame): void {
    if (frame.messageType === 'pause_publication') this.paused = this.side === 'agent'
    else if (frame.messageType === 'start_publication') this.paused = false
    else if (frame.messageType === 'acknowledge') {
      if (this.loseAcknowledgements) return
      this.paused = false
      const { AcknowledgedMessageSequenceNumber: number } = JSON.parse(frame.payload.toString())
      this.#unacknowledged = this.#unacknowledged.filter(({ sequenceNumber }) => sequenceNumber !== number)
    } else if (frame.messageType === SIDES[this.side].takes) {
      this.paused = false
      this.#takeStream(frame)
    }
  }

  #takeStream(frame: ReadFrame): void {
    const repeated = frame.sequenceNumber < this.#expected || this.#early.has(frame.sequenceNumber)
    if (!repeated) this.#early.set(frame.sequenceNumber, frame)
    for (
      let next = this.#early.get(this.#expected);
      next !== undefined;
      next = this.#early.get(this.#expected)
    ) {
      this.#early.delete(this.#expected++)
      this.delivered.push({ payloadType: next.payloadType, payload: next.payload })
    }
    if (this.mute || (repeated && this.side === 'plugin')) return
    const payload = templatePayload(this.#templates.acknowledge, { uuid: frame.messageId })
      .toString()
      .replace(/"AcknowledgedMessageId":"[^"]*"/, `"AcknowledgedMessageId":"${frame.messageId}"`)
      .replace(/(?<=SequenceNumber":)\d+/, String(frame.sequenceNumber))
    this.sendFrame(this.#templates.acknowledge, Buffer.from(payload))
  }

  /** The head of the list, and nothing behind it (data-plane.md 10.3). */
  #repeat(): void {
    const [head] = this.#unacknowledged
    if (head === undefined || this.paused || !this.#connection?.open || Date.now() - head.at < RTO_MS) return
    // A plugin does not note that it has sent it again, so it does so at every tick from now on.
    if (this.side === 'agent') head.at = Date.now()
    this.repetitions++
    this.#connection.send('binary', head.frame)
  }

  #summary(): string {
    const last = this.frames.slice(-5).map(frame => `${frame.messageType} ${frame.sequenceNumber}`)
    return `${this.side}: ${this.frames.length} frames, last ${last.join(', ')}; delivered ${this.delivered.length}`
  }
}
