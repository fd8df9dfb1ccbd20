/** Callers and peers that say whatever they like: requests signed and then changed, channels with any frames. */
import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import * as https from 'node:https'
import { join } from 'node:path'
import { type Credentials, type HttpRequest, signRequest } from '@sallyport/protocol/aws/sigv4'
import { DataChannel } from '@sallyport/protocol/data-channel'
import { answerHandshake, decodeHandshakeRequest, limitsOf } from '@sallyport/protocol/handshake'
import { encodeMessage, type Message } from '@sallyport/protocol/message'
import { PayloadType } from '@sallyport/protocol/message-types'
import { encodeSize, openControlChannel, openDataChannel } from '@sallyport/protocol/payloads'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { createDialer } from '@sallyport/protocol/transport/node-http'
import type { Connection } from '@sallyport/protocol/transport/transport'
import { newUuid } from '@sallyport/protocol/uuid'
import { CLIENT_COMPATIBILITY_VERSION } from '@sallyport/protocol/versions'
import { expect } from 'vitest'
import { ControlPlane } from '../agent/src/control-plane.ts'
import { loadRegistration } from '../agent/src/state.ts'
import { describeSystem } from '../agent/src/system.ts'
import type { RemoteShell } from './remote-shell.ts'
import type { Stack } from './stack.ts'

export const REGION = 'us-east-1'

export type Answer = { status: number; code: string; message: string; requestId: string; body: string }
export type Session = { SessionId: string; TokenValue: string; StreamUrl: string }

export type Signing = { credentials?: Credentials; service?: string; at?: number }

export function administrator(stack: Stack): Credentials {
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = stack.env
  return { accessKeyId, secretAccessKey }
}

/** An SSM call as an SDK makes it. */
export function ssmRequest(stack: Stack, operation: string, input: object | string): HttpRequest {
  const body = Buffer.from(typeof input === 'string' ? input : JSON.stringify(input))
  const headers: Array<[string, string]> = [
    ['host', new URL(stack.endpoint).host],
    ['content-type', 'application/x-amz-json-1.1'],
    ['x-amz-target', `AmazonSSM.${operation}`],
  ]
  return { method: 'POST', path: '/', query: '', headers, body }
}

/** With the signature of the first administrator, made now, unless said. */
export function signed(stack: Stack, request: HttpRequest, signing: Signing = {}): HttpRequest {
  const { credentials = administrator(stack), service = 'ssm', at = Date.now() } = signing
  const scope = { region: REGION, service }
  const added = signRequest(nodeCrypto, request, credentials, scope, at)
  return { ...request, headers: [...request.headers, ...added] }
}

/** Sends a request to the byte as it is. */
export async function send(stack: Stack, request: HttpRequest): Promise<Answer> {
  const { hostname, port } = new URL(stack.endpoint)
  const { method, path, query, headers, body } = request
  const ca = await readFile(stack.caFile)
  return await new Promise((resolve, reject) => {
    const outgoing = https.request({
      hostname,
      port,
      method,
      path: query === '' ? path : `${path}?${query}`,
      // As a list, so that a header can come twice.
      headers: [...headers, ['content-length', String(body.length)]].flat(),
      ca,
      agent: false,
    })
    outgoing.on('error', reject)
    outgoing.on('response', response => {
      response.toArray().then(chunks => resolve(answerOf(response, Buffer.concat(chunks).toString())), reject)
    })
    outgoing.end(body)
  })
}

export async function call(
  stack: Stack,
  operation: string,
  input: object,
  signing?: Signing,
): Promise<Answer> {
  return await send(stack, signed(stack, ssmRequest(stack, operation, input), signing))
}

function answerOf(response: IncomingMessage, body: string): Answer {
  const json = body.startsWith('{') ? (JSON.parse(body) as { __type?: string; message?: string }) : {}
  const inXml = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1] ?? ''
  return {
    status: response.statusCode ?? 0,
    // In the Query protocol an element, in the message gateway's XML the name of one.
    code: json.__type ?? /<Code>(\w+)<|^<(\w+)><Message>/.exec(body)?.slice(1).find(Boolean) ?? '',
    message: json.message ?? inXml('Message'),
    requestId: String(response.headers['x-amzn-requestid'] ?? inXml('RequestId')),
    body,
  }
}

/** What the server logged about something, by any text of the lines. */
export function logLines(stack: Stack, ...texts: string[]): Array<Record<string, unknown>> {
  return stack.server.output
    .split('\n')
    .filter(line => line.startsWith('{') && texts.every(text => line.includes(text)))
    .map(line => JSON.parse(line) as Record<string, unknown>)
}

export async function startSession(stack: Stack, nodeId: string): Promise<Session> {
  const answer = await call(stack, 'StartSession', { Target: nodeId })
  if (answer.status !== 200) throw new Error(answer.body)
  return JSON.parse(answer.body) as Session
}

/** A channel in the hands of a test: its frames are kept, its end is a promise. */
export class RawChannel {
  readonly connection: Connection
  readonly closed: Promise<{ code: number; reason: string }>
  readonly received: Uint8Array[] = []
  #onMessage: () => void = () => {}

  constructor(connection: Connection) {
    this.connection = connection
    this.closed = new Promise(resolve => {
      connection.events = {
        message: data => {
          this.received.push(Uint8Array.from(data))
          this.#onMessage()
        },
        drain: () => {},
        pong: () => {},
        close: (code, reason) => resolve({ code, reason }),
      }
    })
  }

  async firstMessage(): Promise<Uint8Array> {
    for (;;) {
      const [first] = this.received
      if (first !== undefined) return first
      await new Promise<void>(resolve => {
        this.#onMessage = resolve
      })
    }
  }
}

type Opening = { token: string; nodeId?: string; headers?: Array<[string, string]> }

/** Dials a data channel and sends its opening frame; refused or not is for the caller to see. */
export async function openData(stack: Stack, url: string, opening: Opening): Promise<RawChannel> {
  const channel = await dial(stack, url, opening.headers)
  channel.connection.send(openingFrame(opening))
  return channel
}

function openingFrame({ token, nodeId }: Opening): string {
  const frame = openDataChannel.encode({
    MessageSchemaVersion: '1.0',
    RequestId: newUuid(nodeCrypto),
    TokenValue: token,
    ClientId: '',
    ...(nodeId !== undefined && { ClientInstanceId: nodeId }),
  })
  return Buffer.from(frame).toString()
}

/** Rejects with `DialError`, which has the status, if the upgrade is refused. */
export async function dial(stack: Stack, url: string, headers: Array<[string, string]> = []) {
  const dialer = createDialer({ ca: await readFile(stack.caFile, 'utf8'), env: {} })
  return new RawChannel(await dialer(url, headers))
}

/** A frame that is right in every way, but for what is given. */
export function frameOf(parts: Partial<Message>): Uint8Array {
  return encodeMessage(nodeCrypto, {
    messageType: 'input_stream_data',
    createdDate: Date.now(),
    sequenceNumber: 0,
    flags: 0,
    messageId: newUuid(nodeCrypto),
    payloadType: 1,
    payload: Buffer.from('x'),
    ...parts,
  })
}

/** A registered node whose agent is the test's: it has the real credentials and does what it wants with them. */
export class HostileNode {
  readonly id: string
  readonly plane: ControlPlane
  readonly #stack: Stack

  static async register(stack: Stack, name: string): Promise<HostileNode> {
    const stateDirectory = join(stack.directory, name)
    await stack.registerNode(stateDirectory, name)
    const registration = await loadRegistration(stateDirectory)
    if (registration === undefined) throw new Error('the node is not registered')
    return new HostileNode(stack, registration.instanceId, new ControlPlane(registration, {}))
  }

  private constructor(stack: Stack, id: string, plane: ControlPlane) {
    this.#stack = stack
    this.id = id
    this.plane = plane
  }

  /** Opens the control channel as an agent does; answers once the server counts the node as online. */
  async goOnline(): Promise<RawChannel> {
    await this.plane.call('UpdateInstanceInformation', await describeSystem(this.id))
    const channel = await this.control(this.id, await this.plane.createChannel('control', this.id))
    await this.#stack.server.waitForLine(new RegExp(`"nodeId":"${this.id}".*"node online"`))
    return channel
  }

  async control(nodeId: string, token: string): Promise<RawChannel> {
    const channel = new RawChannel(await this.plane.dial('control', nodeId))
    const frame = openControlChannel.encode({
      Cookie: null,
      MessageSchemaVersion: '1.0',
      RequestId: newUuid(nodeCrypto),
      TokenValue: token,
    })
    channel.connection.send(Buffer.from(frame).toString())
    return channel
  }

  /** A data channel, signed by this node. */
  async data(sessionId: string, opening: Opening): Promise<RawChannel> {
    const channel = new RawChannel(await this.plane.dial('data', sessionId))
    channel.connection.send(openingFrame(opening))
    return channel
  }

  /** A session of this node, both of whose ends are the test's. */
  async openBothEnds(): Promise<{ session: Session; client: RawChannel; agent: RawChannel }> {
    const session = await startSession(this.#stack, this.id)
    const { SessionId, TokenValue, StreamUrl } = session
    const token = await this.plane.createChannel('data', SessionId)
    const agent = await this.data(SessionId, { token, nodeId: this.id })
    await expect.poll(() => logLines(this.#stack, SessionId, 'data channel open')).toHaveLength(1)
    const client = await openData(this.#stack, StreamUrl, { token: TokenValue })
    await Promise.all([client.firstMessage(), agent.firstMessage()])
    return { session, client, agent }
  }
}

/** AWS's code, and one line in the log that has the request's id, the code and the reason. */
export async function expectRefusal(stack: Stack, answer: Answer, status: number, code: string) {
  expect({ status: answer.status, code: answer.code }, answer.body).toEqual({ status, code })
  expect(answer.message).not.toBe('')
  await expect.poll(() => logLines(stack, answer.requestId)).toHaveLength(1)
  expect(logLines(stack, answer.requestId)[0]).toMatchObject({
    msg: 'request refused',
    error: code,
    reason: answer.message,
  })
}

/** The signature of the administrator on the upgrade to a websocket. */
export function upgradeHeaders(stack: Stack, url: string): Array<[string, string]> {
  const { host, pathname: path, search } = new URL(url)
  const headers: Array<[string, string]> = [['host', host]]
  const request = { method: 'GET', path, query: search.slice(1), headers, body: new Uint8Array(0) }
  return signed(stack, request, { service: 'ssmmessages' }).headers.filter(
    ([name]) => name !== 'host',
  ) as Array<[string, string]>
}

/** A person's session answers at once. */
export async function expectQuick(shell: RemoteShell): Promise<void> {
  const started = performance.now()
  expect(await shell.run('echo quick')).toBe('quick')
  expect(performance.now() - started).toBeLessThan(2_000)
}

/** A client that gets as far as a shell by the book, and then may do as it likes with its connection. */
export class RawShell {
  readonly connection: Connection
  /** What the server gives as the reason for the end. */
  readonly ended: Promise<string>
  readonly #channel: DataChannel
  #output = ''
  #onOutput: () => void = () => {}

  static async open(stack: Stack, nodeId: string): Promise<RawShell> {
    const session = await startSession(stack, nodeId)
    const { connection } = await openData(stack, session.StreamUrl, { token: session.TokenValue })
    const shell = new RawShell(connection)
    await shell.waitFor(/[$#] $/)
    return shell
  }

  private constructor(connection: Connection) {
    this.connection = connection
    let end: (reason: string) => void = () => {}
    this.ended = new Promise(resolve => {
      end = resolve
    })
    this.#channel = new DataChannel({
      role: 'client',
      crypto: nodeCrypto,
      now: Date.now,
      transmit: frame => connection.send(frame),
      deliver: (type, payload) => this.#deliver(type, payload),
      onClosed: ({ Output }) => end(Output ?? ''),
    })
    connection.events = {
      message: data => {
        this.#channel.receive(data)
        this.#channel.flush()
      },
      drain: () => {},
      pong: () => {},
      close: () => {},
    }
    this.#channel.connected()
  }

  type(text: string): void {
    this.#channel.send(PayloadType.output, Buffer.from(text))
  }

  async waitFor(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#output)) {
      await new Promise<void>(resolve => {
        this.#onOutput = resolve
      })
    }
  }

  #deliver(type: number, payload: Uint8Array): boolean {
    if (type === PayloadType.handshakeRequest) {
      const { payload: answer, terms } = answerHandshake(decodeHandshakeRequest(payload), {
        clientVersion: CLIENT_COMPATIBILITY_VERSION,
      })
      this.#channel.sendWhole(PayloadType.handshakeResponse, answer)
      if (terms !== undefined) this.#channel.agree(limitsOf(terms))
      this.#channel.sendWhole(PayloadType.size, encodeSize({ cols: 80, rows: 24 }))
    }
    if (type === PayloadType.output) this.#output = (this.#output + Buffer.from(payload)).slice(-10_000)
    this.#onOutput()
    return true
  }
}
