import { existsSync, mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeControlMessage } from '@sallyport/protocol/control-channel'
import { ManualClock } from '@sallyport/protocol/manual-clock'
import { decodeMessage } from '@sallyport/protocol/message'
import { MessageType } from '@sallyport/protocol/message-types'
import {
  type AgentJob,
  agentJobAckPayload,
  agentJobReplyAckPayload,
  CANCEL_TOPIC,
  type CommandReply,
  decodeAgentJobReply,
  encodeAgentJob,
  jobIdOf,
  readCommandReply,
  SEND_TOPIC,
  type StepReply,
} from '@sallyport/protocol/run-command'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { expect, onTestFinished } from 'vitest'
import { readDestinationRules } from '../sessions/port/destination-rules.ts'
import { Commands, type CommandsOptions } from './commands.ts'
import type { DocumentOutcome, DocumentRequest } from './document-request.ts'

export const NODE = 'mi-0123456789abcdef0'
type Ack = { jobId: string; code: string }
type Heard = CommandReply & { commandId: string; jobId: string; messageId: string }

/** For what tells nobody that it has happened. */
export function eventually<T>(look: () => T) {
  return expect.poll(look, { timeout: 20_000, interval: 5 })
}

/** A node's state directory, and what becomes of the agents that live over it, one after the other. */
export function openNode() {
  const state = mkdtempSync(join(tmpdir(), 'sallyport-commands-'))
  // Acknowledgements are still being noted.
  onTestFinished(() => rm(state, { recursive: true, force: true, maxRetries: 5 }))
  const directory = join(state, 'commands')
  return {
    directory,
    has: (commandId: string, file = '') => existsSync(join(directory, commandId, file)),
    live: (options: Partial<CommandsOptions> = {}) => new Life(directory, options),
  }
}

/** One life of an agent, and the server at the other end of its control channel. */
class Life {
  readonly clock = new ManualClock()
  readonly acks: Ack[] = []
  readonly replies: Heard[] = []
  /** Documents that were begun, in this order. */
  readonly runs: DocumentRequest[] = []
  readonly commands: Commands
  readonly #ends = new Map<string, (outcome: DocumentOutcome) => void>()
  readonly #watchers = new Set<() => void>()

  constructor(directory: string, options: Partial<CommandsOptions>) {
    this.commands = new Commands({
      directory,
      limits: { running: 10, waiting: 100 },
      nodeId: NODE,
      environment: { region: 'eu-test-1', variables: {}, destinations: readDestinationRules({}) },
      run: request => this.#run(request),
      server: { call: () => Promise.reject(new Error('there is no server')) },
      reboot: () => Promise.resolve(),
      boot: 'first-boot',
      clock: this.clock,
      log: () => {},
      ...options,
    })
  }

  async start(): Promise<this> {
    await this.commands.start()
    this.connect()
    return this
  }

  connect(): void {
    this.commands.connected(frame => this.#hear(frame))
  }

  send(job: AgentJob): void {
    const id = crypto.randomUUID()
    this.commands.receive(decodeMessage(nodeCrypto, encodeAgentJob(nodeCrypto, this.clock.now(), id, job)))
  }

  command(commandId: string, steps: readonly string[] = ['only']): void {
    const mainSteps = steps.map(name => ({ name, action: 'aws:test' }))
    this.document(commandId, { schemaVersion: '2.2', mainSteps })
  }

  document(commandId: string, document: object): void {
    const content = { CommandId: commandId, DocumentName: 'Test', DocumentContent: document, Parameters: {} }
    const jobId = jobIdOf(commandId, NODE)
    this.send({ jobId, topic: `${SEND_TOPIC}.eu.test.1`, content: JSON.stringify(content) })
  }

  cancel(commandId: string): string {
    const jobId = crypto.randomUUID()
    const content = JSON.stringify({ CancelMessageId: jobIdOf(commandId, NODE) })
    this.send({ jobId, topic: CANCEL_TOPIC, content })
    return jobId
  }

  acknowledge({ jobId, messageId }: Heard): void {
    this.commands.acknowledged(agentJobReplyAckPayload.encode({ jobId, acknowledgedMessageId: messageId }))
  }

  /** Ends the document of a command, which has been begun. */
  end(commandId: string, outcome: Partial<DocumentOutcome> = {}): void {
    const steps = [stepReply('only')]
    this.#ends.get(commandId)?.({ status: 'Success', trace: '', steps, reboot: false, ...outcome })
  }

  /** When it is known whether the job is accepted. */
  code(jobId: string): Promise<string> {
    return this.until(() => this.acks.find(ack => ack.jobId === jobId)?.code)
  }

  result(commandId: string): Promise<Heard> {
    return this.until(() =>
      this.replies.find(reply => reply.commandId === commandId && reply.status !== 'InProgress'),
    )
  }

  running(commandId: string): Promise<DocumentRequest> {
    return this.until(() => this.runs.find(run => run.commandId === commandId))
  }

  /** The first answer of `look` that is not undefined; it is asked whenever something has happened. */
  async until<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look()
      if (found !== undefined) return found
      await new Promise<void>(resolve => this.#watchers.add(resolve))
    }
  }

  #run(request: DocumentRequest): Promise<DocumentOutcome> {
    return new Promise(resolve => {
      this.#ends.set(request.commandId, resolve)
      const steps = [stepReply('only', 'Cancelled', 137)]
      request.signal.addEventListener('abort', () =>
        resolve({ status: 'Cancelled', trace: '', steps, reboot: false }),
      )
      this.runs.push(request)
      this.#happened()
    })
  }

  #hear(frame: Uint8Array): void {
    const { messageType, messageId, payload } = decodeMessage(nodeCrypto, frame)
    if (messageType === MessageType.agentJobAck) {
      const { jobId, statusCode } = agentJobAckPayload.decode(payload)
      this.acks.push({ jobId, code: statusCode })
    } else if (messageType === MessageType.agentJobReply) {
      const { jobId, content } = decodeAgentJobReply(payload)
      const commandId = jobId.split('.').at(-2) ?? ''
      this.replies.push({ ...readCommandReply(content), commandId, jobId, messageId })
    }
    this.#happened()
  }

  #happened(): void {
    const watchers = [...this.#watchers]
    this.#watchers.clear()
    for (const watch of watchers) watch()
  }
}

export function stepReply(name: string, status: StepReply['status'] = 'Success', code = 0): StepReply {
  const output = { output: '', standardOutput: `${name} said`, standardError: '' }
  return { name, status, code, ...output, startedAt: 1_700_000_000_000, endedAt: 1_700_000_000_001 }
}

/** A frame of any type, as the gateway might send it. */
export function frameOf(messageType: string, payload: Uint8Array) {
  return decodeMessage(nodeCrypto, encodeControlMessage(nodeCrypto, 1_700_000_000_000, messageType, payload))
}
