import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { readRecording } from './recording.ts'
import { ScriptedConnection } from './scripted-connection.ts'
import {
  fill,
  frameBytes,
  type ReadFrame,
  readFrame,
  recordedFrame,
  recordedMessage,
  templatePayload,
  type Values,
} from './scripted-frames.ts'
import {
  hmacSigner,
  playRequest,
  playUpgrade,
  rsaSigner,
  type Signer,
  signedRequest,
} from './scripted-requests.ts'
import { ScriptedStream } from './scripted-stream.ts'
import type { Stack } from './stack.ts'

/** How often, and how far apart, an agent_task_complete is sent that nobody acknowledges (data-plane.md 7.4). */
const TRANSMISSIONS = 3
const RETRY_MS = 1_000

export type Task = { at: number; envelope: Record<string, unknown>; content: Record<string, unknown> }

/** An agent that says what amazon-ssm-agent 3.3.0.0 was seen to say, byte for byte, when the test tells it to. */
export class ScriptedStockAgent implements AsyncDisposable {
  /** The messages of the control channel, as they came. */
  readonly frames: Array<ReadFrame & { at: number }> = []
  nodeId = ''
  readonly #stack: Stack
  readonly #keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  readonly #values: Record<string, string> = {
    fingerprint: randomUUID(),
    computerName: 'scripted',
    ipAddress: '192.0.2.7',
    platformName: 'Debian GNU/Linux',
    platformVersion: '12',
  }
  readonly #sessions: ScriptedAgentSession[] = []
  readonly #waiting = new Set<() => void>()
  #signer: Signer = () => ''
  #control: ScriptedConnection | undefined
  #tasksTaken = 0

  /** Registers and goes online. */
  static async online(stack: Stack): Promise<ScriptedStockAgent> {
    const agent = new ScriptedStockAgent(stack)
    await agent.register()
    await agent.requestRoleToken()
    await agent.start()
    return agent
  }

  constructor(stack: Stack) {
    this.#stack = stack
  }

  async register(): Promise<void> {
    const { ActivationId, ActivationCode } = await this.#stack.api(
      'create-activation',
      '--iam-role',
      'SSMServiceRole',
    )
    const publicKey = this.#keys.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
    Object.assign(this.#values, { activationId: ActivationId, activationCode: ActivationCode, publicKey })
    const { InstanceId } = JSON.parse(await this.call('RegisterManagedInstance', undefined))
    if (!/^mi-[0-9a-f]{17}$/.test(InstanceId)) throw new Error(`not a node: ${InstanceId}`)
    this.nodeId = InstanceId
    this.#values.node = InstanceId
  }

  /** The call that is signed with the node's own key; the answer goes into every later one. */
  async requestRoleToken(
    hosts: { host?: string; signedHost?: string } = {},
  ): Promise<Record<string, unknown>> {
    const pem = this.#keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const values = { ...this.values, ...hosts }
    const { status, body } = await playRequest(this.#stack, {
      recording: 'agent-start',
      like: '.RequestManagedInstanceRoleToken"',
      values,
      signer: rsaSigner(pem),
    })
    if (status !== 200) throw new Error(`the token was refused: ${body}`)
    const token = JSON.parse(body)
    const { AccessKeyId: accessKeyId, SecretAccessKey, SessionToken: sessionToken } = token
    Object.assign(this.#values, { accessKeyId, sessionToken })
    this.#signer = hmacSigner(SecretAccessKey)
    return token
  }

  /** The empty ping, the full one, the long poll beside them, and the control channel. */
  async start(): Promise<void> {
    await this.call('UpdateInstanceInformation')
    await Promise.all([this.callLike(/\\"AgentStatus\\"/), this.openControlChannel()])
  }

  /** A recorded POST of the start; answers the body. Throws unless the status is 200. */
  async call(operation: string, signer: Signer | undefined = this.#signer): Promise<string> {
    return await this.callLike(`.${operation}"`, signer)
  }

  async callLike(like: string | RegExp, signer: Signer | undefined = this.#signer): Promise<string> {
    const call = { recording: 'agent-start', like, values: this.values, signer }
    const { status, body } = await playRequest(this.#stack, call)
    if (status !== 200) throw new Error(`${String(like)} was answered ${status}: ${body}`)
    return body
  }

  /** The status that an operation gets which there is not. */
  async callUnknown(operation: string): Promise<number> {
    const { http, body } = recordedMessage('agent-start', 'http', '.ListInstanceAssociations"')
    const renamed = http.map(line => line.replace('ListInstanceAssociations', operation))
    const { lines } = signedRequest({ http: renamed, body }, this.values, this.#signer)
    const connection = await ScriptedConnection.open(this.#stack)
    const { status } = await connection.request(lines, fill(body, this.values))
    connection.destroy()
    return status
  }

  get values(): Values {
    return { host: `localhost:${this.#stack.httpsPort}`, ...this.#values }
  }

  async openControlChannel(): Promise<void> {
    const token = await this.#channelToken('agent-start', 'POST /v1/control-channel/', this.values)
    const values = { ...this.values, token }
    this.#control = await playUpgrade(
      this.#stack,
      { recording: 'agent-start', like: 'GET /v1/control-channel/', values, signer: this.#signer },
      unit => {
        this.frames.push({ ...readFrame(unit.body), at: Date.now() })
        for (const wake of [...this.#waiting]) wake()
        this.#waiting.clear()
      },
    )
    this.#control.send('text', fill(recordedMessage('agent-start', 'text').text, values))
    await this.#stack.server.waitForLine(new RegExp(`"nodeId":"${this.nodeId}".*"node online"`))
  }

  /** What an agent sends every 54 s; it leaves when it gets no pong for a minute (data-plane.md 5). */
  keepAlive(): void {
    this.#control?.send('ping', 'keepalive')
  }

  get pongs(): string[] {
    return this.#control?.pongs ?? []
  }

  /** Waits for a message of the control channel, from the first on. */
  async message(messageType: string, like: RegExp = /(?:)/): Promise<ReadFrame & { at: number }> {
    for (;;) {
      const found = this.frames.find(
        frame => frame.messageType === messageType && like.test(String(frame.payload)),
      )
      if (found !== undefined) return found
      await new Promise<void>(resolve => this.#waiting.add(resolve))
    }
  }

  /** The next session to start that was not asked for yet. */
  async nextTask(): Promise<Task> {
    for (;;) {
      const task = this.frames.filter(({ messageType }) => messageType === 'interactive_shell')[
        this.#tasksTaken
      ]
      if (task !== undefined) {
        this.#tasksTaken++
        const envelope = JSON.parse(String(task.payload))
        return { at: task.at, envelope, content: JSON.parse(envelope.Content) }
      }
      await new Promise<void>(resolve => this.#waiting.add(resolve))
    }
  }

  /** Takes the next session: its data channel is open, and its worker has said so. */
  async serve(): Promise<ScriptedAgentSession> {
    const { content } = await this.nextTask()
    const session = new ScriptedAgentSession(this, String(content.SessionId))
    this.#sessions.push(session)
    await session.connect()
    session.state('Connected')
    return session
  }

  /** Data channels of a session are dialled anew for each connection; there is no state message on a second one. */
  async dialData(sessionId: string, onFrame: ScriptedConnection['onFrame']): Promise<ScriptedConnection> {
    const values = { ...this.values, session: sessionId }
    const token = await this.#channelToken('agent-shell', 'POST /v1/data-channel/', values)
    const call = { recording: 'agent-shell', like: 'GET /v1/data-channel/', values, signer: this.#signer }
    const connection = await playUpgrade(this.#stack, call, onFrame)
    connection.send('text', fill(recordedMessage('agent-shell', 'text').text, { ...values, token }))
    return connection
  }

  /** Says that a session is over, as `recording` has it, and again until that is acknowledged. */
  async complete(recording: string, sessionId: string): Promise<{ transmissions: number }[]> {
    const results = readRecording(recording).messages.filter(
      message => 'frame' in message && message.frame.messageType.startsWith('agent_task_complete'),
    )
    const sent = []
    for (const result of results) {
      if ('frame' in result) sent.push(this.#completeOnce(result.frame, sessionId))
    }
    return await Promise.all(sent)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions) session.stream.dispose()
    this.#control?.destroy()
  }

  async #completeOnce(
    template: Parameters<typeof templatePayload>[0],
    sessionId: string,
  ): Promise<{ transmissions: number }> {
    const values = { ...this.values, session: sessionId }
    const first = frameBytes(template, templatePayload(template, values))
    const { messageId } = readFrame(first)
    const isAnswered = () =>
      this.frames.some(
        ({ messageType, payload }) =>
          messageType === 'agent_task_acknowledge' && JSON.parse(String(payload)).MessageId === messageId,
      )
    for (let transmission = 1; transmission <= TRANSMISSIONS; transmission++) {
      const payload = templatePayload(template, values)
        .toString()
        .replace('"RetryNumber":1', `"RetryNumber":${transmission}`)
      const frame = frameBytes(template, Buffer.from(payload))
      // The same id every time.
      first.copy(frame, 64, 64, 80)
      this.#control?.send('binary', frame)
      const end = Date.now() + RETRY_MS
      while (Date.now() < end) {
        if (isAnswered()) return { transmissions: transmission }
        await new Promise<void>(resolve => {
          setTimeout(resolve, end - Date.now()).unref()
          this.#waiting.add(resolve)
        })
      }
    }
    throw new Error(`agent_task_complete of ${sessionId} was never acknowledged`)
  }

  /** 201 and XML are what an agent understands, and nothing else (data-plane.md 6.2). */
  async #channelToken(recording: string, like: string, values: Values): Promise<string> {
    const { status, body } = await playRequest(this.#stack, { recording, like, values, signer: this.#signer })
    const token = /<TokenValue>([^<]+)<\/TokenValue>/.exec(body)?.[1]
    if (status !== 201 || token === undefined) throw new Error(`${like} was answered ${status}: ${body}`)
    return token
  }
}

/** One session worker. */
export class ScriptedAgentSession {
  readonly sessionId: string
  readonly stream = new ScriptedStream('agent')
  readonly #agent: ScriptedStockAgent
  #connection: ScriptedConnection | undefined

  constructor(agent: ScriptedStockAgent, sessionId: string) {
    this.#agent = agent
    this.sessionId = sessionId
  }

  get closed(): Promise<void> {
    return this.#connection?.closed ?? Promise.resolve()
  }

  async connect(): Promise<void> {
    this.#connection = await this.#agent.dialData(this.sessionId, this.stream.receive)
    this.stream.attach(this.#connection)
  }

  /** The connection is gone; what was written to it last may be lost. */
  drop(): void {
    this.#connection?.destroy()
  }

  keepAlive(): void {
    this.#connection?.send('ping', 'keepalive')
  }

  get pongs(): string[] {
    return this.#connection?.pongs ?? []
  }

  /** What comes now is on its way, but never read: it is lost with the connection. */
  deafen(): void {
    this.#connection?.pause()
  }

  state(state: 'Connected' | 'Terminating'): void {
    const template = recordedFrame('agent-shell', new RegExp(`SessionState\\W+${state}`))
    this.stream.sendFrame(template, templatePayload(template, { session: this.sessionId }))
  }

  /** The handshake of a port session as it was recorded, up to what the plugin answered. */
  async handshake(recording: 'agent-port' | 'agent-command', port = 0): Promise<Record<string, unknown>> {
    const request = recordedFrame(recording, /"payloadType":5/)
    this.stream.send(5, templatePayload(request, { port: String(port) }))
    await this.stream.until(({ delivered }) => delivered.some(({ payloadType }) => payloadType === 6))
    const answer = this.stream.delivered.find(({ payloadType }) => payloadType === 6)
    const complete = recordedFrame(recording, /"payloadType":7/)
    this.stream.send(7, templatePayload(complete, { nanoseconds: '69081708' }))
    return JSON.parse(String(answer?.payload))
  }
}
