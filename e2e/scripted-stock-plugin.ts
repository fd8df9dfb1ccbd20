import { randomUUID } from 'node:crypto'
import type { ScriptedConnection } from './scripted-connection.ts'
import { fill, recordedFrame, recordedMessage, templatePayload } from './scripted-frames.ts'
import { hmacSigner, playRequest, playUpgrade } from './scripted-requests.ts'
import { ScriptedStream } from './scripted-stream.ts'
import type { Stack } from './stack.ts'

export type StartedSession = { SessionId: string; TokenValue: string }

/** A plugin that says what session-manager-plugin 1.2.0.0 was seen to say, byte for byte, when the test tells it to. */
export class ScriptedStockPlugin implements AsyncDisposable {
  readonly sessionId: string
  readonly stream = new ScriptedStream('plugin')
  /** What a `channel_closed` said; only that ends a plugin. */
  readonly ended: Promise<string>
  readonly #stack: Stack
  readonly #clientId = randomUUID()
  #connection: ScriptedConnection | undefined

  /** As `aws ssm start-session` starts it. */
  static async open(stack: Stack, session: StartedSession): Promise<ScriptedStockPlugin> {
    const plugin = new ScriptedStockPlugin(stack, session.SessionId)
    await plugin.#dial(session.TokenValue)
    return plugin
  }

  private constructor(stack: Stack, sessionId: string) {
    this.#stack = stack
    this.sessionId = sessionId
    this.ended = new Promise(resolve => {
      this.stream.onMessage = ({ messageType, payload }) => {
        if (messageType === 'channel_closed') resolve(JSON.parse(String(payload)).Output ?? '')
      }
    })
  }

  /** The connection is gone; what was written to it last may be lost. */
  drop(): void {
    this.#connection?.destroy()
  }

  get closed(): Promise<void> {
    return this.#connection?.closed ?? Promise.resolve()
  }

  /** With a new token from ResumeSession, over the same URL. */
  async resume(): Promise<void> {
    const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secret = '' } = this.#stack.env
    const values = { ...this.#values, accessKeyId }
    const call = { recording: 'plugin-resume', like: '.ResumeSession"', values, signer: hmacSigner(secret) }
    const { status, body } = await playRequest(this.#stack, call)
    if (status !== 200) throw new Error(`ResumeSession was answered ${status}: ${body}`)
    await this.#dial(JSON.parse(body).TokenValue)
  }

  /** Types into a shell. */
  type(text: string): void {
    this.stream.send(1, text)
  }

  size(): void {
    const template = recordedFrame('plugin-shell', /"payloadType":3/)
    this.stream.send(3, templatePayload(template, {}))
  }

  /** Answers the handshake's request once it is there; after that the plugin is ready. */
  async handshake(
    answer = recordedFrame('plugin-port', /"payloadType":6/),
  ): Promise<Record<string, unknown>> {
    const request = () => this.stream.delivered.find(({ payloadType }) => payloadType === 5)
    await this.stream.until(() => request() !== undefined)
    this.stream.send(6, templatePayload(answer, {}))
    await this.stream.until(({ delivered }) => delivered.some(({ payloadType }) => payloadType === 7))
    return JSON.parse(String(request()?.payload))
  }

  /** What Ctrl-C in a port session sends. */
  terminate(): void {
    const template = recordedFrame('plugin-port', /"payloadType":10/)
    this.stream.send(10, templatePayload(template, {}))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stream.dispose()
  }

  get #values() {
    return { host: `localhost:${this.#stack.httpsPort}`, session: this.sessionId, clientId: this.#clientId }
  }

  async #dial(token: string): Promise<void> {
    const call = { recording: 'plugin-shell', like: 'GET /v1/data-channel/', values: this.#values }
    this.#connection = await playUpgrade(this.#stack, call, this.stream.receive)
    this.#connection.send('ping', 'keepalive')
    this.#connection.send(
      'text',
      fill(recordedMessage('plugin-shell', 'text').text, { ...this.#values, token }),
    )
    this.stream.attach(this.#connection)
  }
}
