// A process of its own: agents that do nothing but hold their control channels, as many as it is told on its
// standard input, one number a line. Answers each with a line `<number> open`.
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { ControlPlane } from '@sallyport/agent/control-plane'
import { openControlChannel } from '@sallyport/protocol/payloads'
import { createRequester } from '@sallyport/protocol/transport/node-http'
import { AGENT_COMPATIBILITY_VERSION } from '@sallyport/protocol/versions'

const AT_ONCE = 8
const [endpoint = '', caFile = '', activationId = '', activationCode = ''] = process.argv.slice(2)
const ca = readFileSync(caFile, 'utf8')
// One key for all: making 1,000 takes minutes, and the server does not mind.
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const request = createRequester(new URL(endpoint), { ca, env: {} })
let nodes = 0

for await (const line of createInterface(process.stdin)) {
  const wanted = Number(line)
  let started = nodes
  const open = async () => {
    while (started < wanted) {
      started++
      await openNode()
      nodes++
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, open))
  process.stdout.write(`${nodes} open\n`)
}
process.exit(0)

async function openNode(): Promise<void> {
  const fingerprint = randomUUID()
  const instanceId = await register(fingerprint)
  const registration = {
    endpoint,
    region: 'us-east-1',
    instanceId,
    fingerprint,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    ca,
  }
  const server = new ControlPlane(registration, {})
  await server.call('UpdateInstanceInformation', {
    InstanceId: instanceId,
    AgentName: 'sallyport-agent',
    AgentVersion: AGENT_COMPATIBILITY_VERSION,
    AgentStatus: 'Active',
    PlatformType: 'Linux',
    ComputerName: instanceId,
  })
  const token = await server.createChannel('control', instanceId)
  const connection = await server.dial('control', instanceId)
  const open = openControlChannel.encode({
    Cookie: null,
    MessageSchemaVersion: '1.0',
    RequestId: randomUUID(),
    TokenValue: token,
    AgentVersion: AGENT_COMPATIBILITY_VERSION,
    PlatformType: 'linux',
  })
  connection.send(new TextDecoder().decode(open))
  connection.events = {
    message: () => {},
    drain: () => {},
    pong: () => {},
    close: (code, reason) => {
      process.stderr.write(`the channel of ${instanceId} closed: ${code} ${reason}\n`)
      process.exit(1)
    },
  }
}

async function register(fingerprint: string): Promise<string> {
  const input = {
    ActivationId: activationId,
    ActivationCode: activationCode,
    Fingerprint: fingerprint,
    PublicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
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
