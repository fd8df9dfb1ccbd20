import { concatBytes, toHex } from '../bytes.ts'
import { SmuxCommand, SmuxFrameReader, type SmuxVersion, smuxHeader, smuxUpdate } from './frame.ts'
import { type SmuxOptions, SmuxSession } from './session.ts'
import type { SmuxStream } from './stream.ts'

export type Happening =
  | ['open', number]
  | ['data', number, string]
  | ['end', number]
  | ['reset', number, string]
  | ['writable', number]
  | ['consumed']

/** One end whose byte stream beneath is a list, with a reader that notes what happens. */
export class LoneEnd {
  readonly session: SmuxSession
  readonly streams = new Map<number, SmuxStream>()
  /** What was given to `send`, call by call. */
  sent: Uint8Array[] = []
  /** How many calls of `send` there is still room for. */
  room = Number.POSITIVE_INFINITY
  happenings: Happening[] = []
  /** Streams whose reader takes a chunk and then no more. */
  readonly stalled = new Set<number>()

  constructor(options: Pick<SmuxOptions, 'role' | 'version' | 'maximumFrame'>) {
    this.session = new SmuxSession({
      ...options,
      send: parts => {
        if (this.room <= 0) throw new Error('a frame was sent where there is no room')
        this.sent.push(concatBytes(parts))
        return --this.room > 0
      },
      onStream: stream => {
        this.happenings.push(['open', stream.id])
        this.watch(stream)
      },
      onConsumed: () => this.happenings.push(['consumed']),
    })
  }

  open(): SmuxStream {
    return this.watch(this.session.open())
  }

  stream(id: number): SmuxStream {
    const stream = this.streams.get(id)
    if (stream === undefined) throw new Error(`no stream ${id}`)
    return stream
  }

  watch(stream: SmuxStream): SmuxStream {
    this.streams.set(stream.id, stream)
    stream.events = {
      data: chunk => {
        this.happenings.push(['data', stream.id, toHex(chunk)])
        return !this.stalled.has(stream.id)
      },
      end: () => this.happenings.push(['end', stream.id]),
      reset: reason => this.happenings.push(['reset', stream.id, reason]),
      writable: () => this.happenings.push(['writable', stream.id]),
    }
    return stream
  }

  /** What was sent since the last time. */
  takeSent(): string {
    const bytes = toHex(concatBytes(this.sent))
    this.sent = []
    return bytes
  }

  takeHappenings(): Happening[] {
    const happenings = this.happenings
    this.happenings = []
    return happenings
  }
}

export const KIBIBYTE = 1024

export function frame(
  version: SmuxVersion,
  command: keyof typeof SmuxCommand,
  id: number,
  data: Uint8Array = new Uint8Array(0),
): Uint8Array {
  return concatBytes([smuxHeader(version, SmuxCommand[command], id, data.length), data])
}

export function update(id: number, consumed: number, window: number): Uint8Array {
  return concatBytes(smuxUpdate(id, { consumed, window }))
}

/** `size` bytes on a stream, in frames as large as upstream writes them. */
export function flood(version: SmuxVersion, id: number, size: number): Uint8Array {
  const frames = []
  for (let left = size; left > 0; left -= 32 * KIBIBYTE) {
    frames.push(frame(version, 'psh', id, new Uint8Array(Math.min(left, 32 * KIBIBYTE))))
  }
  return concatBytes(frames)
}

/** The stream ids of the data frames among what was sent, in order, with their sizes. */
export function dataFrames(version: SmuxVersion, sent: readonly Uint8Array[]): Array<[number, number]> {
  const found: Array<[number, number]> = []
  const reader = new SmuxFrameReader(version, (command, streamId, data) => {
    if (command === SmuxCommand.psh) found.push([streamId, data.length])
  })
  reader.push(concatBytes(sent))
  return found
}

/** A server to which a client has opened these streams. */
export function server(version: SmuxVersion, ...ids: number[]): LoneEnd {
  const end = new LoneEnd({ role: 'server', version })
  for (const id of ids) end.session.receive(frame(version, 'syn', id))
  end.takeHappenings()
  return end
}
