// What the tests of the gateway share: connections whose other end is the test, frames, and a log that can be read.

import { Writable } from 'node:stream'
import { decodeUtf8, utf8 } from '@sallyport/protocol/bytes'
import { decodeMessage, encodeMessage, type Message } from '@sallyport/protocol/message'
import { MessageType, PayloadType } from '@sallyport/protocol/message-types'
import { acknowledgePayload } from '@sallyport/protocol/payloads'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { type Connection, type ConnectionEvents, NO_EVENTS } from '@sallyport/protocol/transport/transport'
import { newUuid } from '@sallyport/protocol/uuid'
import { type Logger, loggerTo } from '../logger.ts'

/** A connection as the gateway has it; the test is the peer, and the network. */
export class FakeConnection implements Connection {
  readonly sent: Uint8Array[] = []
  /** Set by the test: what the network has not taken yet. */
  bufferedBytes = 0
  paused = false
  pings = 0
  closedWith: { code: number; reason: string } | undefined
  #events: ConnectionEvents = NO_EVENTS
  #arrived: Uint8Array[] = []
  #end: [code: number, reason: string] | undefined

  get events(): ConnectionEvents {
    return this.#events
  }

  set events(events: ConnectionEvents) {
    this.#events = events
    this.#flush()
    if (this.#end !== undefined) events.close(...this.#end)
  }

  /** Of everything that was sent here. */
  get types(): string[] {
    return this.sent.map(frame => decode(frame).messageType)
  }

  send(data: Uint8Array | string): void {
    if (this.closedWith === undefined) this.sent.push(typeof data === 'string' ? utf8(data) : data)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.#flush()
  }

  ping(): void {
    this.pings++
  }

  close(code: number, reason: string): void {
    this.closedWith ??= { code, reason }
    queueMicrotask(() => this.lose(code, reason))
  }

  terminate(): void {
    this.close(1006, '')
  }

  /** The peer sends a frame. */
  receive(...frames: Array<Uint8Array | string>): void {
    this.#arrived.push(...frames.map(frame => (typeof frame === 'string' ? utf8(frame) : frame)))
    this.#flush()
  }

  /** The connection is over, by the peer or by the network. */
  lose(code = 1006, reason = ''): void {
    if (this.#end !== undefined) return
    this.#end = [code, reason]
    this.closedWith ??= { code, reason }
    this.#events.close(code, reason)
  }

  /** The network has taken all but so many bytes. */
  drainTo(bytes: number): void {
    this.bufferedBytes = bytes
    this.#events.drain()
  }

  #flush(): void {
    while (!this.paused && this.#events !== NO_EVENTS) {
      const frame = this.#arrived.shift()
      if (frame === undefined) return
      this.#events.message(frame, false)
    }
  }
}

export function decode(frame: Uint8Array): Message {
  return decodeMessage(nodeCrypto, frame)
}

export function textOf(frame: Uint8Array): string {
  return decodeUtf8(decode(frame).payload)
}

export function frameOf(message: Partial<Message>): Uint8Array {
  return encodeMessage(nodeCrypto, {
    messageType: MessageType.inputStreamData,
    createdDate: 1_700_000_000_000,
    sequenceNumber: 0,
    flags: 0,
    messageId: newUuid(nodeCrypto),
    payloadType: PayloadType.output,
    payload: utf8('x'),
    ...message,
  })
}

export function input(sequenceNumber: number, text = 'x'): Uint8Array {
  return frameOf({ sequenceNumber, payload: utf8(text) })
}

export function output(sequenceNumber: number, text = 'x'): Uint8Array {
  return frameOf({ messageType: MessageType.outputStreamData, sequenceNumber, payload: utf8(text) })
}

export function acknowledge(sequenceNumber: number, through?: number): Uint8Array {
  const payload = acknowledgePayload.encode({
    AcknowledgedMessageType: MessageType.outputStreamData,
    AcknowledgedMessageId: newUuid(nodeCrypto),
    AcknowledgedMessageSequenceNumber: sequenceNumber,
    ...(through !== undefined && { AcknowledgedThrough: through }),
  })
  return frameOf({ messageType: MessageType.acknowledge, payloadType: PayloadType.none, payload })
}

/** A frame with a JSON payload and no number. */
export function word(messageType: string, payload: object): Uint8Array {
  return frameOf({ messageType, payloadType: PayloadType.none, payload: utf8(JSON.stringify(payload)) })
}

export function sessionState(state: string, sessionId = 's'): Uint8Array {
  return word(MessageType.agentSessionState, { SchemaVersion: 1, SessionState: state, SessionId: sessionId })
}

/** A logger and what it wrote. */
export function readableLog(): { logger: Logger; lines: Array<Record<string, unknown>> } {
  const lines: Array<Record<string, unknown>> = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()))
      done()
    },
  })
  return { logger: loggerTo('debug', stream), lines }
}
