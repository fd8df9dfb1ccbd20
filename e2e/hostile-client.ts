/** A client that is let into a session of any document, and then says what it likes in it. */
import { readFileSync } from 'node:fs'
import { DataChannel } from '@sallyport/protocol/data-channel'
import { answerHandshake, decodeHandshakeRequest, limitsOf } from '@sallyport/protocol/handshake'
import { MessageType, PayloadType } from '@sallyport/protocol/message-types'
import { encodeFlag } from '@sallyport/protocol/payloads'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import type { Connection } from '@sallyport/protocol/transport/transport'
import { CLIENT_COMPATIBILITY_VERSION } from '@sallyport/protocol/versions'
import { expect } from 'vitest'
import { call, openData, type Session } from './hostile-peer.ts'
import type { Stack } from './stack.ts'

export type Parameters = Record<string, string[]>
export type Terms = { payload: number; window: number }

export type HostileClientOptions = {
  document: string
  parameters?: Parameters
  /** What it agrees on with our agent; `stock`: it knows nothing of that. */
  terms?: Terms | 'stock'
  /** Answers no handshake by itself. */
  silent?: boolean
  /** Takes what comes and never says so. */
  acknowledges?: boolean
}

const MEGABYTE = 1024 * 1024
const OWN_TERMS: Terms = { payload: 64 * 1024, window: MEGABYTE }

export class HostileClient {
  readonly sessionId: string
  readonly connection: Connection
  readonly channel: DataChannel
  /** The reason that the server gives for the end; that of the connection, if it broke. */
  readonly ended: Promise<string>
  over = false
  /** All that came as output, as long as it is kept. */
  output: Uint8Array[] = []
  keepsOutput = true
  outputBytes = 0
  readonly flags: number[] = []
  readonly notices: string[] = []
  handshakes = 0
  exitCode = ''
  readonly #options: HostileClientOptions
  readonly #waiting = new Set<() => void>()

  /** Opens the session; resolves once the agent has asked for the handshake (which is answered, unless `silent`), or ended it. */
  static async open(stack: Stack, nodeId: string, options: HostileClientOptions): Promise<HostileClient> {
    const client = await HostileClient.dial(stack, await startDocument(stack, nodeId, options), options)
    await client.until(() => client.handshakes > 0 || client.over)
    return client
  }

  static async dial(stack: Stack, session: Session, options: HostileClientOptions): Promise<HostileClient> {
    const { connection } = await openData(stack, session.StreamUrl, { token: session.TokenValue })
    return new HostileClient(session.SessionId, connection, options)
  }

  private constructor(sessionId: string, connection: Connection, options: HostileClientOptions) {
    this.sessionId = sessionId
    this.connection = connection
    this.#options = options
    let end: (reason: string) => void = () => {}
    this.ended = new Promise(resolve => {
      end = reason => {
        this.over = true
        resolve(reason)
        this.#wake()
      }
    })
    this.channel = new DataChannel({
      role: 'client',
      crypto: nodeCrypto,
      now: Date.now,
      transmit: frame => {
        if (options.acknowledges === false && isAcknowledgement(frame)) return
        connection.send(frame)
      },
      deliver: (type, payload) => this.#deliver(type, payload),
      onWritable: () => this.#wake(),
      onClosed: ({ Output }) => end(Output ?? ''),
    })
    connection.events = {
      message: data => {
        this.channel.receive(data)
        this.channel.flush()
      },
      drain: () => this.#wake(),
      pong: () => {},
      close: (_, reason) => end(reason),
    }
    this.channel.connected()
  }

  /** Sends bytes as what the session is for, as fast as they are taken; false once the session is over. */
  async send(bytes: Uint8Array, payloadType: number = PayloadType.output): Promise<boolean> {
    await this.until(() => this.over || (this.channel.writable && this.connection.bufferedBytes < MEGABYTE))
    if (!this.over) this.channel.send(payloadType, bytes)
    return !this.over
  }

  flag(flag: number): void {
    this.channel.sendWhole(PayloadType.flag, encodeFlag(flag))
  }

  answer(payload: Uint8Array): void {
    this.channel.sendWhole(PayloadType.handshakeResponse, payload)
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>(resolve => this.#waiting.add(resolve))
  }

  leave(): void {
    this.connection.terminate()
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake()
    this.#waiting.clear()
  }

  #deliver(type: number, payload: Uint8Array): boolean {
    if (type === PayloadType.handshakeRequest) this.#handshake(payload)
    else if (type === PayloadType.flag) this.flags.push(payload[3] ?? 0)
    else if (type === PayloadType.exitCode) this.exitCode = Buffer.from(payload).toString()
    else if (type === PayloadType.output) {
      this.outputBytes += payload.length
      if (this.keepsOutput) this.output.push(Uint8Array.from(payload))
    }
    this.#wake()
    return true
  }

  #handshake(payload: Uint8Array): void {
    this.handshakes++
    if (this.#options.silent) return
    const request = decodeHandshakeRequest(payload)
    const { terms = OWN_TERMS } = this.#options
    const offer = terms === 'stock' ? undefined : terms
    const { payload: answer, terms: agreed } = answerHandshake(
      { ...request, offer },
      { clientVersion: CLIENT_COMPATIBILITY_VERSION },
    )
    this.answer(answer)
    // Whatever it said: it keeps to nothing.
    if (agreed !== undefined) this.channel.agree(limitsOf(OWN_TERMS))
  }
}

export async function startDocument(
  stack: Stack,
  nodeId: string,
  { document, parameters = {} }: Pick<HostileClientOptions, 'document' | 'parameters'>,
): Promise<Session> {
  const answer = await call(stack, 'StartSession', {
    Target: nodeId,
    DocumentName: document,
    Parameters: parameters,
  })
  if (answer.status !== 200) throw new Error(answer.body)
  return JSON.parse(answer.body) as Session
}

/** The memory that a process occupies, bytes. */
function memoryOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

function isAcknowledgement(frame: Uint8Array): boolean {
  return Buffer.from(frame.subarray(4, 36)).toString('latin1').trim() === MessageType.acknowledge
}

/** How much more memory the server and the agent take for what happens meanwhile. */
export async function growth(
  stack: Stack,
  what: () => Promise<void>,
): Promise<{ server: number; agent: number }> {
  const pids = [stack.server.pid, stack.node.process.pid]
  const before = pids.map(memoryOf)
  await what()
  const [server = 0, agent = 0] = pids.map((pid, i) => memoryOf(pid) - (before[i] ?? 0))
  return { server, agent }
}

/** The person, the record and the agent's log all have the reason. */
export async function expectEnd(stack: Stack, client: HostileClient, reason: RegExp): Promise<void> {
  expect(await client.ended).toMatch(reason)
  const Filters = [{ key: 'SessionId', value: client.sessionId }]
  const { body } = await call(stack, 'DescribeSessions', { State: 'History', Filters })
  expect(JSON.parse(body).Sessions).toEqual([
    expect.objectContaining({ Status: 'Failed', Details: expect.stringMatching(reason) }),
  ])
  const lines = () => stack.node.process.output.split('\n').filter(line => line.includes(client.sessionId))
  const ended = () => lines().find(line => line.includes('"session ended"')) ?? '{}'
  await expect.poll(() => JSON.parse(ended()).output).toMatch(reason)
}
