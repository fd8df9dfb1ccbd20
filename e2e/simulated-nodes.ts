// A process of its own, which `fleet.ts` starts: nodes that register, hold their control channels over the real wire, and
// say of every command that it succeeded, without running anything. Reads a request a line, answers with a line of JSON.
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { ControlPlane } from '@sallyport/agent/control-plane'
import { encodeAgentSessions, encodeControlMessage } from '@sallyport/protocol/control-channel'
import { decodeMessage, type Message } from '@sallyport/protocol/message'
import { MessageType } from '@sallyport/protocol/message-types'
import { openControlChannel } from '@sallyport/protocol/payloads'
import {
  agentJobAckPayload,
  agentJobReplyAckPayload,
  commandContent,
  decodeAgentJob,
  encodeAgentJobReply,
  JobAckCode,
  SEND_TOPIC,
  writeCommandReply,
} from '@sallyport/protocol/run-command'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { createRequester } from '@sallyport/protocol/transport/node-http'
import type { Connection } from '@sallyport/protocol/transport/transport'
import { AGENT_COMPATIBILITY_VERSION, OWN_AGENT_NAME } from '@sallyport/protocol/versions'

const AT_ONCE = 8
const RECONNECT_MS = 200
const RESEND_MS = 3_000
const STEP = 'aws:runShellScript'

const [endpoint = '', caFile = '', activationId = '', activationCode = '', runMs = '0'] =
  process.argv.slice(2)
const ca = readFileSync(caFile, 'utf8')
// One key for all: making 1,000 takes minutes, and the server does not mind.
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const privateKeyText = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const publicKeyText = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
const request = createRequester(new URL(endpoint), { ca, env: {} })

/** As an agent does: a command that is told twice is run once, and what came of it is said until somebody heard it. */
class SimulatedNode {
  readonly id: string
  readonly #server: ControlPlane
  readonly #told = new Map<string, number>()
  readonly #ran = new Map<string, number>()
  readonly #unheard = new Map<string, { messageId: string; content: string }>()
  #connection: Connection | undefined

  constructor(id: string, fingerprint: string) {
    this.id = id
    const registration = {
      endpoint,
      region: 'us-east-1',
      instanceId: id,
      fingerprint,
      privateKey: privateKeyText,
      ca,
    }
    this.#server = new ControlPlane(registration, {})
  }

  told(commandId: string): number {
    return this.#told.get(commandId) ?? 0
  }

  ran(commandId: string): number {
    return this.#ran.get(commandId) ?? 0
  }

  async report(): Promise<void> {
    await this.#server.call('UpdateInstanceInformation', {
      InstanceId: this.id,
      AgentName: OWN_AGENT_NAME,
      AgentVersion: AGENT_COMPATIBILITY_VERSION,
      AgentStatus: 'Active',
      PlatformType: 'Linux',
      ComputerName: this.id,
    })
  }

  async connect(): Promise<void> {
    const token = await this.#server.createChannel('control', this.id)
    const connection = await this.#server.dial('control', this.id)
    const open = openControlChannel.encode({
      Cookie: null,
      MessageSchemaVersion: '1.0',
      RequestId: randomUUID(),
      TokenValue: token,
      AgentVersion: AGENT_COMPATIBILITY_VERSION,
      PlatformType: 'linux',
    })
    connection.send(new TextDecoder().decode(open))
    connection.send(encodeAgentSessions(nodeCrypto, Date.now(), []))
    connection.events = {
      message: data => this.#receive(decodeMessage(nodeCrypto, data)),
      drain: () => {},
      pong: () => {},
      close: () => void this.#reconnect(),
    }
    this.#connection = connection
    this.sendUnheard()
  }

  sendUnheard(): void {
    for (const [jobId, { messageId, content }] of this.#unheard) {
      const reply = { jobId, topic: SEND_TOPIC, content }
      this.#connection?.send(encodeAgentJobReply(nodeCrypto, Date.now(), messageId, reply))
    }
  }

  async #reconnect(): Promise<void> {
    this.#connection = undefined
    while (this.#connection === undefined) {
      await sleep(RECONNECT_MS * (0.5 + Math.random()))
      await this.connect().catch(() => {})
    }
  }

  #receive(message: Message): void {
    if (message.messageType === MessageType.agentJob) return this.#job(message)
    if (message.messageType !== MessageType.agentJobReplyAck) return
    this.#unheard.delete(agentJobReplyAckPayload.decode(message.payload).jobId)
  }

  #job(message: Message): void {
    const { jobId, topic, content } = decodeAgentJob(message.payload)
    if (!topic.startsWith(SEND_TOPIC)) return this.#acknowledge(message, jobId, JobAckCode.accepted)
    const { CommandId: commandId } = commandContent.read(JSON.parse(content))
    this.#told.set(commandId, this.told(commandId) + 1)
    if (this.ran(commandId) > 0) return this.#acknowledge(message, jobId, JobAckCode.duplicate)
    this.#ran.set(commandId, this.ran(commandId) + 1)
    this.#acknowledge(message, jobId, JobAckCode.accepted)
    const startedAt = Date.now()
    if (runMs === '0') return this.#finish(jobId, startedAt)
    setTimeout(() => this.#finish(jobId, startedAt), Number(runMs) * (0.5 + Math.random()))
  }

  #acknowledge(message: Message, jobId: string, statusCode: string): void {
    const payload = agentJobAckPayload.encode({
      jobId,
      acknowledgedMessageId: message.messageId,
      createdDate: new Date().toISOString(),
      statusCode,
      errorMessage: '',
    })
    this.#connection?.send(encodeControlMessage(nodeCrypto, Date.now(), MessageType.agentJobAck, payload))
  }

  #finish(jobId: string, startedAt: number): void {
    const standardOutput = `${this.id}\n`
    const step = {
      name: STEP,
      status: 'Success',
      code: 0,
      output: standardOutput,
      standardOutput,
      standardError: '',
      startedAt,
      endedAt: Date.now(),
    } as const
    const content = writeCommandReply({ status: 'Success', trace: '', steps: [step] }, {})
    const messageId = randomUUID()
    this.#unheard.set(jobId, { messageId, content })
    const reply = { jobId, topic: SEND_TOPIC, content }
    this.#connection?.send(encodeAgentJobReply(nodeCrypto, Date.now(), messageId, reply))
  }
}

// They stand for other machines: what they do must not slow down the server.
setPriority(15)

const nodes: SimulatedNode[] = []
setInterval(() => {
  for (const node of nodes) node.sendUnheard()
}, RESEND_MS)

for await (const line of createInterface(process.stdin)) {
  const [verb, argument = ''] = line.split(' ')
  const answer = verb === 'open' ? await open(Number(argument)) : ran(argument)
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
process.exit(0)

/** Until there are so many. */
async function open(wanted: number): Promise<object> {
  let begun = nodes.length
  const some = async () => {
    while (begun < wanted) {
      begun++
      const fingerprint = randomUUID()
      const node = new SimulatedNode(await register(fingerprint), fingerprint)
      await node.report()
      await node.connect()
      nodes.push(node)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, some))
  return { ids: nodes.map(({ id }) => id) }
}

/** How many nodes ran a command how often, and how often it was told to them in all. */
function ran(commandId: string): object {
  const times: Record<string, number> = {}
  for (const node of nodes) times[node.ran(commandId)] = (times[node.ran(commandId)] ?? 0) + 1
  return { times, told: nodes.reduce((sum, node) => sum + node.told(commandId), 0) }
}

async function register(fingerprint: string): Promise<string> {
  const input = {
    ActivationId: activationId,
    ActivationCode: activationCode,
    Fingerprint: fingerprint,
    PublicKey: publicKeyText,
    PublicKeyType: 'Rsa',
  }
  const { status, body } = await request({
    headers: [
      ['host', new URL(endpoint).host],
      ['content-type', 'application/x-amz-json-1.1'],
      ['x-amz-target', 'AmazonSSM.RegisterManagedInstance'],
    ],
    body: new TextEncoder().encode(JSON.stringify(input)),
    timeoutMs: 30_000,
  })
  if (status !== 200) throw new Error(`RegisterManagedInstance: ${status} ${body}`)
  return (JSON.parse(body) as { InstanceId: string }).InstanceId
}
