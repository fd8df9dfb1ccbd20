import { createHash, generateKeyPair, randomUUID, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { ConnectionError, createRequester, type HttpResponse } from '@sallyport/protocol/transport/node-http'
import type { AgentConfig } from './config.ts'
import { type Registration, saveRegistration } from './state.ts'

const KEY_BITS = 2048
const CA_PATH = '/.well-known/sallyport/ca.pem'
const TIMEOUT = 20_000

export type RegisterOptions = {
  /** Origin of the server. */
  endpoint: string
  region: string
  activationId: string
  activationCode: string
  /** An instance (`i-…`) that has its role by an instance profile, in place of a managed instance. */
  asInstance?: boolean
  /** `sha256:<hex>` of the server's CA certificate, from the activation; the CA is then fetched and pinned. */
  caHash?: string | undefined
  caFile?: string | undefined
}

/** Registers this machine as a managed node (control-plane.md 2.2) and stores its identity. */
export async function register(config: AgentConfig, options: RegisterOptions): Promise<Registration> {
  const endpoint = new URL(options.endpoint)
  const ca = await trustedCa(config, endpoint, options)
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: KEY_BITS })
  const fingerprint = randomUUID()
  const input = {
    ActivationId: options.activationId,
    ActivationCode: options.activationCode,
    Fingerprint: fingerprint,
    PublicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    PublicKeyType: 'Rsa',
    ...(options.asInstance === true && { AsInstance: true }),
  }
  const request = createRequester(endpoint, { ca, env: config.env })
  const answer = await request({
    headers: [
      ['host', endpoint.host],
      ['content-type', 'application/x-amz-json-1.1'],
      ['x-amz-target', 'AmazonSSM.RegisterManagedInstance'],
    ],
    body: Buffer.from(JSON.stringify(input)),
    timeoutMs: TIMEOUT,
  }).catch(error => {
    throw ca === undefined ? withoutCa(error, endpoint) : error
  })
  const registration: Registration = {
    endpoint: endpoint.origin,
    region: options.region,
    instanceId: instanceIdOf(answer),
    fingerprint,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    registeredAt: new Date().toISOString(),
    ca,
  }
  await saveRegistration(config.stateDirectory, registration)
  return registration
}

/** The transport's own advice names the options of the client commands. */
function withoutCa(error: unknown, endpoint: URL): unknown {
  if (!(error instanceof ConnectionError) || error.code !== 'ConnectionUntrusted') return error
  return new Error(
    `The certificate of ${endpoint.origin} is not trusted here. Give --ca-hash, as the join command of ` +
      '`sallyport activations create` has it, or --ca-file with the CA of the server.',
    { cause: error },
  )
}

function instanceIdOf(answer: HttpResponse): string {
  const body = JSON.parse(answer.body) as { InstanceId?: string; __type?: string; message?: string }
  if (answer.status === 200 && body.InstanceId !== undefined) return body.InstanceId
  throw new Error(
    `The server refused the registration: ${body.__type ?? answer.status}: ${body.message ?? ''}`,
  )
}

/** The CA to trust: from a file, or fetched and compared with the hash that came with the activation. */
async function trustedCa(
  config: AgentConfig,
  endpoint: URL,
  options: RegisterOptions,
): Promise<string | undefined> {
  if (options.caFile !== undefined) return await readFile(options.caFile, 'utf8')
  if (options.caHash === undefined) return undefined
  // Whoever answers here is not trusted yet; what it sends is, once its hash is right.
  const request = createRequester(endpoint, { env: config.env, insecure: true })
  const answer = await request({
    method: 'GET',
    path: CA_PATH,
    headers: [['host', endpoint.host]],
    body: Buffer.alloc(0),
    timeoutMs: TIMEOUT,
  })
  if (answer.status !== 200) {
    throw new Error(
      `${endpoint.origin} does not say what its CA is (${answer.status}). If it has a public certificate, leave --ca-hash out.`,
    )
  }
  const certificate = new X509Certificate(answer.body)
  const actual = `sha256:${createHash('sha256').update(certificate.raw).digest('hex')}`
  if (actual !== options.caHash.toLowerCase()) {
    throw new Error(
      `${endpoint.origin} presents a CA with hash ${actual}, not ${options.caHash}. Either the hash was mistyped, or this is not your server: do not go on.`,
    )
  }
  // Only what the hash is of: another certificate might follow it.
  return certificate.toString()
}
