import { join } from 'node:path'
import {
  decodeSessionTask,
  encodeAgentSessions,
  type SessionTask,
  taskAcknowledgePayload,
} from '@sallyport/protocol/control-channel'
import { ProtocolError } from '@sallyport/protocol/errors'
import { Liveness } from '@sallyport/protocol/liveness'
import { decodeMessage, type Message } from '@sallyport/protocol/message'
import { MessageType } from '@sallyport/protocol/message-types'
import { channelClosedPayload, openControlChannel } from '@sallyport/protocol/payloads'
import { CONTROL_CHANNEL_BACKOFF, reconnectDelay } from '@sallyport/protocol/reconnect'
import { nodeClock } from '@sallyport/protocol/transport/node-clock'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import type { Connection } from '@sallyport/protocol/transport/transport'
import { newUuid } from '@sallyport/protocol/uuid'
import { AGENT_COMPATIBILITY_VERSION } from '@sallyport/protocol/versions'
import { ApiFailure } from './api-failure.ts'
import { Commands } from './commands/commands.ts'
import type { UpdateInput, UpdateOutcome } from './commands/document-request.ts'
import { bootId, rebootMachine } from './commands/reboot.ts'
import { runDocument } from './commands/run-document.ts'
import type { AgentConfig } from './config.ts'
import { ControlPlane } from './control-plane.ts'
import type { Log } from './log.ts'
import { Session } from './sessions/session.ts'
import type { Registration } from './state.ts'
import { describeSystem, platformType } from './system.ts'
import { TaskResults } from './task-results.ts'
import { installedProgram, runningRelease } from './update/hand-over.ts'
import { updateAgent } from './update/update.ts'

/** How often the node reports itself while connected (control-plane.md 8.3). */
const REPORT_INTERVAL = 5 * 60_000
const PING_INTERVAL = 20_000
/** A control channel without a sign of life for so long after a ping is dead. */
const PONG_TIMEOUT = 10_000
/** Unacknowledged results go out again this often. */
const RESULT_INTERVAL = 1_000
/** Between questions of a node that may not be online, and before it comes back. */
const REFUSED_BACKOFF = { initial: 2_000, cap: 30_000 }
const PROTOCOL_ERROR_CLOSE = 1002
const NORMAL_CLOSE = 1000
/** As a stock agent by default (data-plane.md 7.2). */
const MAXIMUM_SESSIONS = 1000

export type AgentOptions = {
  config: AgentConfig
  registration: Registration
  log: Log
  /** The control channel is open (again), or not; if the server does not let it be opened, why. */
  onOnline?: (online: boolean, refused?: string) => void
}

/** The agent: one control channel kept open for ever, and a session for every task that comes through it. */
export class Agent {
  readonly #options: AgentOptions
  readonly #server: ControlPlane
  readonly #results: TaskResults
  readonly #commands: Commands
  readonly #sessions = new Map<string, Session>()
  #connection: Connection | undefined
  readonly #timers = new Set<NodeJS.Timeout>()
  #liveness: Liveness | undefined
  #stopped = false
  #attempt = 0
  /** Its program was replaced: it starts anew once nothing runs in it. */
  #replaced = false
  #updated: Promise<unknown> = Promise.resolve()
  /** Whoever runs it shall start it anew. */
  restart: () => void = () => {}
  readonly wantsRestart = new Promise<undefined>(resolve => {
    this.restart = () => resolve(undefined)
  })
  /** Why the server did not let the node be online when it was last asked. */
  #refused: string | undefined

  constructor(options: AgentOptions) {
    this.#options = options
    this.#server = new ControlPlane(options.registration, options.config.env)
    this.#results = new TaskResults(options.registration.instanceId)
    const { config, registration, log } = options
    this.#commands = new Commands({
      directory: join(config.stateDirectory, 'commands'),
      limits: config.commands,
      nodeId: registration.instanceId,
      environment: {
        region: registration.region,
        variables: config.env,
        destinations: config.destinations,
        memoryMiB: config.commandMemoryMiB,
      },
      run: runDocument,
      server: this.#server,
      reboot: () => rebootMachine(config.rebootCommand),
      // One after the other: both would write the same files.
      update: wanted => {
        const updated = this.#updated.then(() => this.#update(wanted))
        this.#updated = updated
        return updated
      },
      boot: bootId(),
      clock: nodeClock,
      log,
    })
  }

  async #update(wanted: UpdateInput): Promise<UpdateOutcome> {
    const { stateDirectory } = this.#options.config
    const installed = installedProgram()
    const program = runningRelease()?.entry ?? installed
    try {
      const { message, replaced } = await updateAgent(
        { server: this.#server, stateDirectory, program, installed },
        wanted,
      )
      this.#replaced ||= replaced
      return { status: 'Success', code: 0, stdout: `${message}\n`, stderr: '' }
    } catch (error) {
      return { status: 'Failed', code: 1, stdout: '', stderr: (error as Error).message }
    }
  }

  /** Nothing is cut short for it. */
  #restartIfReplaced(): void {
    if (this.#replaced && this.#sessions.size === 0 && this.#commands.count === 0) this.restart()
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  start(): void {
    void this.#commands.start().then(() => this.#connect())
  }

  /** Ends every session and the control channel; resolves when their processes are gone. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([
      this.#commands.stop(),
      ...[...this.#sessions.values()].map(session => session.end('The agent on the node was stopped.')),
    ])
    this.#clearTimers()
    this.#connection?.close(NORMAL_CLOSE, 'agent stopped')
  }

  async #connect(): Promise<void> {
    const { registration, log } = this.#options
    const { instanceId } = registration
    try {
      await this.#report()
      const token = await this.#server.createChannel('control', instanceId)
      const connection = await this.#server.dial('control', instanceId)
      if (this.#stopped) return connection.close(NORMAL_CLOSE, '')
      connection.send(new TextDecoder().decode(this.#openFrame(token)))
      this.#attach(connection)
    } catch (error) {
      if (this.#stopped) return
      if (error instanceof ApiFailure && error.isRoleRefusal) {
        this.#notAllowed(error.reason)
        return void this.#waitUntilAble()
      }
      const delay = reconnectDelay(nodeCrypto, CONTROL_CHANNEL_BACKOFF, this.#attempt++)
      log('cannot open the control channel', {
        error: (error as Error).message,
        retryInMs: Math.round(delay),
      })
      this.#after(delay, () => void this.#connect())
    }
  }

  /** The server tells when it changes: a node is back at once, and a fleet of them asks seldom. */
  async #waitUntilAble(): Promise<void> {
    try {
      const lack = await this.#server.credentials.waitUntilAble()
      if (this.#stopped) return
      if (lack !== undefined) {
        this.#attempt = 0
        this.#notAllowed(lack.why)
        return this.#after(reconnectDelay(nodeCrypto, REFUSED_BACKOFF, 0), () => void this.#waitUntilAble())
      }
    } catch {
      // What is the matter, `connect` will find out and tell.
      if (this.#stopped) return
    }
    const delay = reconnectDelay(nodeCrypto, REFUSED_BACKOFF, this.#attempt++)
    this.#after(delay, () => void this.#connect())
  }

  #notAllowed(reason: string): void {
    if (this.#refused === reason) return
    this.#refused = reason
    this.#options.log('the server does not let this node be online', { reason })
    this.#options.onOnline?.(false, reason)
  }

  #openFrame(token: string): Uint8Array {
    return openControlChannel.encode({
      Cookie: null,
      MessageSchemaVersion: '1.0',
      RequestId: newUuid(nodeCrypto),
      TokenValue: token,
      AgentVersion: AGENT_COMPATIBILITY_VERSION,
      PlatformType: platformType().toLowerCase(),
    })
  }

  #attach(connection: Connection): void {
    this.#connection = connection
    this.#attempt = 0
    this.#refused = undefined
    const onDead = () => this.#lost(connection, 'no answer to a ping')
    const liveness = new Liveness({
      clock: nodeClock,
      connection,
      pingEvery: PING_INTERVAL,
      pongTimeout: PONG_TIMEOUT,
      onDead,
    })
    this.#liveness = liveness
    connection.events = {
      message: data => {
        liveness.seen()
        this.#receive(connection, data)
      },
      pong: () => liveness.seen(),
      drain: () => {},
      close: (code, reason) => this.#lost(connection, reason === '' ? `closed (${code})` : reason),
    }
    const every = (interval: number, action: () => void) => this.#timers.add(setInterval(action, interval))
    every(
      REPORT_INTERVAL,
      () => void this.#report().catch(error => this.#options.log('cannot report', { error: error.message })),
    )
    every(RESULT_INTERVAL, () => this.#sendResults())
    every(RESULT_INTERVAL, () => this.#restartIfReplaced())
    this.#options.log('online', {
      instanceId: this.#options.registration.instanceId,
      endpoint: this.#options.registration.endpoint,
    })
    this.#options.onOnline?.(true)
    this.#sendResults()
    const sessionIds = [...new Set([...this.#sessions.keys(), ...this.#results.sessionIds])]
    connection.send(encodeAgentSessions(nodeCrypto, Date.now(), sessionIds))
    this.#commands.connected(frame => connection.send(frame))
  }

  #lost(connection: Connection, reason: string): void {
    if (this.#connection !== connection) return
    this.#connection = undefined
    this.#commands.disconnected()
    this.#clearTimers()
    if (this.#stopped) return
    this.#options.log('control channel lost', { reason })
    this.#options.onOnline?.(false)
    this.#after(reconnectDelay(nodeCrypto, CONTROL_CHANNEL_BACKOFF, 0), () => void this.#connect())
  }

  async #report(): Promise<void> {
    await this.#server.call(
      'UpdateInstanceInformation',
      await describeSystem(this.#options.registration.instanceId),
    )
  }

  #receive(connection: Connection, data: Uint8Array): void {
    try {
      this.#handle(decodeMessage(nodeCrypto, data))
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#options.log('the server sent what cannot be read', { error: error.message, code: error.code })
      // A payload that makes no sense concerns one task; a frame that makes none concerns the connection.
      if (error.code !== 'bad-json' && error.code !== 'bad-payload')
        connection.close(PROTOCOL_ERROR_CLOSE, error.message)
    }
  }

  #handle(message: Message): void {
    switch (message.messageType) {
      case MessageType.interactiveShell:
        return this.#startSession(decodeSessionTask(message.payload))
      case MessageType.channelClosed: {
        const { SessionId } = channelClosedPayload.decode(message.payload)
        void this.#sessions.get(SessionId)?.end('')
        return
      }
      case MessageType.agentTaskAcknowledge:
        return this.#results.acknowledged(taskAcknowledgePayload.decode(message.payload).MessageId)
      case MessageType.agentJob:
        return this.#commands.receive(message)
      case MessageType.agentJobReplyAck:
        return this.#commands.acknowledged(message.payload)
      default:
        this.#options.log('ignored a message of unknown type', { messageType: message.messageType })
    }
  }

  /** A task may be delivered more than once (DESIGN 6.9). */
  #startSession(task: SessionTask): void {
    const { SessionId: sessionId } = task
    if (this.#sessions.has(sessionId)) return
    const { config, log } = this.#options
    if (this.#sessions.size >= MAXIMUM_SESSIONS) {
      this.#results.add({
        sessionId,
        status: 'Failed',
        output: `The node already has ${MAXIMUM_SESSIONS} sessions.`,
      })
      return this.#sendResults()
    }
    log('session starting', { sessionId, document: task.DocumentName, owner: task.SessionOwner })
    const session = new Session({
      task,
      server: this.#server,
      config,
      log,
      onEnd: result => {
        this.#sessions.delete(sessionId)
        log('session ended', { ...result })
        this.#results.add(result)
        this.#sendResults()
      },
    })
    this.#sessions.set(sessionId, session)
    session.start()
  }

  #sendResults(): void {
    if (this.#connection === undefined || this.#results.size === 0) return
    for (const frame of this.#results.frames(Date.now())) this.#connection.send(frame)
  }

  #after(milliseconds: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      action()
    }, milliseconds)
    this.#timers.add(timer)
  }

  #clearTimers(): void {
    this.#liveness?.stop()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}
