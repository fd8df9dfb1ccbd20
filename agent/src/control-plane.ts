import { signRequest } from '@sallyport/protocol/aws/sigv4'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import {
  createDialer,
  createRequester,
  type HttpResponse,
  type Requester,
} from '@sallyport/protocol/transport/node-http'
import type { Connection } from '@sallyport/protocol/transport/transport'
import { ApiFailure } from './api-failure.ts'
import { RoleCredentials } from './role-credentials.ts'
import type { Registration } from './state.ts'

const TIMEOUT = 15_000
const CREATED = 201
const TOKEN = /<TokenValue>([^<]+)<\/TokenValue>/
const MESSAGE_SCHEMA_VERSION = '1.0'

export type ChannelKind = 'control' | 'data'

/** The server, as this node may call it: everything is signed with the credentials of the node's role. */
export class ControlPlane {
  readonly registration: Registration
  readonly credentials: RoleCredentials
  readonly #endpoint: URL
  readonly #request: Requester
  readonly #dial: ReturnType<typeof createDialer>

  constructor(registration: Registration, env: Readonly<Record<string, string | undefined>>) {
    this.registration = registration
    this.#endpoint = new URL(registration.endpoint)
    this.#request = createRequester(this.#endpoint, { ca: registration.ca, env })
    this.#dial = createDialer({ ca: registration.ca, env })
    this.credentials = new RoleCredentials(registration, this.#request)
  }

  /** An SSM operation. Rejects with `ApiFailure` or the network's error. */
  async call(operation: string, input: object, timeoutMs = TIMEOUT): Promise<unknown> {
    const headers: Array<[string, string]> = [
      ['content-type', 'application/x-amz-json-1.1'],
      ['x-amz-target', `AmazonSSM.${operation}`],
    ]
    const answer = await this.#signed('ssm', '/', input, headers, timeoutMs)
    if (answer.status !== 200) throw this.#failure(operation, answer)
    return JSON.parse(answer.body)
  }

  /** Asks for a channel; the answer is the token for its opening frame (data-plane.md 6.2, 9.1). */
  async createChannel(kind: ChannelKind, id: string): Promise<string> {
    const input = {
      MessageSchemaVersion: MESSAGE_SCHEMA_VERSION,
      RequestId: crypto.randomUUID(),
      ...(kind === 'data' && { ClientId: '' }),
    }
    const answer = await this.#signed('ssmmessages', channelPath(kind, id), input, [
      ['content-type', 'application/json'],
    ])
    const token = TOKEN.exec(answer.body)?.[1]
    if (answer.status !== CREATED || token === undefined) {
      throw this.#failure(kind === 'control' ? 'CreateControlChannel' : 'CreateDataChannel', answer)
    }
    return token
  }

  /** Opens the websocket of a channel, signed like a call (data-plane.md 6.3, 9.2). */
  async dial(kind: ChannelKind, id: string): Promise<Connection> {
    const path = channelPath(kind, id)
    const query = kind === 'control' ? 'role=subscribe&stream=input' : 'role=publish_subscribe'
    const host: [string, string] = ['host', this.#endpoint.host]
    const request = { method: 'GET', path, query, headers: [host], body: new Uint8Array(0) }
    const signature = signRequest(
      nodeCrypto,
      request,
      await this.credentials.get(),
      this.#scope('ssmmessages'),
      Date.now(),
    )
    const url = `${this.#endpoint.origin.replace(/^http/, 'ws')}${path}?${query}`
    return await this.#dial(url, signature)
  }

  async #signed(
    service: string,
    path: string,
    input: object,
    extra: Array<[string, string]>,
    timeoutMs = TIMEOUT,
  ): Promise<HttpResponse> {
    const body = Buffer.from(JSON.stringify(input))
    const headers: Array<[string, string]> = [['host', this.#endpoint.host], ...extra]
    const request = { method: 'POST', path, query: '', headers, body }
    const signature = signRequest(
      nodeCrypto,
      request,
      await this.credentials.get(),
      this.#scope(service),
      Date.now(),
    )
    return await this.#request({ path, headers: [...headers, ...signature], body, timeoutMs })
  }

  #scope(service: string) {
    return { region: this.registration.region, service }
  }

  #failure(operation: string, answer: HttpResponse): ApiFailure {
    const failure = ApiFailure.of(operation, answer)
    // Expired, or sealed by a server whose key is gone: new ones will tell.
    if (/ExpiredToken|UnrecognizedClient|InvalidClientToken/.test(failure.code)) this.credentials.forget()
    return failure
  }
}

function channelPath(kind: ChannelKind, id: string): string {
  return `/v1/${kind}-channel/${encodeURIComponent(id)}`
}
