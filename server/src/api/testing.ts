// What the tests of the API share: a whole API over a real store, and callers that sign what they send.

import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { Encoded } from '@sallyport/protocol/aws/json'
import { type Credentials, signRequest, stringToSign } from '@sallyport/protocol/aws/sigv4'
import { ManualClock } from '@sallyport/protocol/manual-clock'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { AgentRelease } from '../agent-release.ts'
import type { Bus, BusMessage } from '../bus/bus.ts'
import { openMemoryBus } from '../bus/memory.ts'
import { Commands } from '../commands/commands.ts'
import { CommandOutput } from '../commands/output.ts'
import type { Access } from '../iam/access.ts'
import type { AccessCache } from '../iam/access-cache.ts'
import { ChannelTokens } from '../iam/channel-tokens.ts'
import { firstStart } from '../iam/first-start.ts'
import { ActivationGuesses } from '../iam/guess-limit.ts'
import { iamOver } from '../iam/iam.ts'
import type { Identities } from '../iam/identities.ts'
import type { NodeRoles } from '../iam/node-roles.ts'
import { SessionCredentials } from '../iam/session-credentials.ts'
import { loggerTo } from '../logger.ts'
import type { Owner } from '../store/owner-policies.ts'
import { openSealing, type Sealing } from '../store/sealing.ts'
import type { SessionQuotas } from '../store/session-quotas.ts'
import type { Store } from '../store/store.ts'
import { testScope as scope, temporaryStore } from '../store/testing.ts'
import { Authenticator } from './authenticate.ts'
import { CommandWatches } from './command-watches.ts'
import { Dispatch } from './dispatch.ts'
import { HeldPolls } from './held-polls.ts'
import { NodeWaits } from './node-waits.ts'
import type { ApiRequest } from './request.ts'

export const HOST = 'sallyport.example:8443'
export const ADMINISTRATOR_ACCESS = 'arn:aws:iam::aws:policy/AdministratorAccess'
const ORIGIN = `https://${HOST}`
const key = (byte: number) => new Uint8Array(32).fill(byte)

export type Answer = {
  status: number
  code: string | undefined
  message: string
  body: Record<string, unknown>
}
export type Signing = { region?: string; service?: string; at?: number }

/** One key pair for all tests: making one takes as long as many of them. */
export const nodeKeys = generateKeyPairSync('rsa', { modulusLength: 2048 })
export const publicKeyText = spki(nodeKeys.publicKey)

export function spki(publicKey: KeyObject): string {
  return publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
}

export class ApiForTest {
  readonly store: Store
  readonly sealing: Sealing
  readonly administrator: Credentials
  readonly sessionCredentials = new SessionCredentials(key(1))
  readonly channelTokens = new ChannelTokens(key(2))
  readonly activationGuesses = new ActivationGuesses()
  /** What makes held requests wait. */
  readonly clock = new ManualClock()
  readonly polls = new HeldPolls(this.clock)
  readonly sessionQuotas: SessionQuotas = { perNode: 1000, perOwner: 5000 }
  readonly bus: Bus = openMemoryBus({ onError: () => {} })
  readonly published: Array<[subject: string, message: BusMessage]> = []
  readonly lines: Array<Record<string, unknown>> = []
  readonly accessCache: AccessCache
  readonly access: Access
  readonly identities: Identities
  readonly nodeRoles: NodeRoles
  readonly nodeWaits: NodeWaits
  readonly commands: Commands
  readonly commandOutput: CommandOutput
  readonly commandWatches: CommandWatches
  readonly authenticator: Authenticator
  readonly dispatch: Dispatch
  readonly dispose: () => Promise<void>
  /** The server's clock; it stands still unless a test moves it. */
  now = Date.UTC(2026, 0, 31, 12)
  remoteAddress = '192.0.2.1'
  #requests = 0

  constructor(parts: {
    store: Store
    sealing: Sealing
    administrator: Credentials
    /** Of its own, which `dispose` removes. */
    directory: string
    dispose: () => Promise<void>
  }) {
    this.store = parts.store
    this.sealing = parts.sealing
    this.administrator = parts.administrator
    this.dispose = parts.dispose
    const { store, sealing, sessionCredentials, channelTokens, activationGuesses } = this
    const now = () => this.now
    const partition = 'aws'
    const bus: Bus = {
      ...this.bus,
      publish: (subject, message) => {
        this.published.push([subject, message])
        return this.bus.publish(subject, message)
      },
    }
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.lines.push(JSON.parse(chunk.toString()))
        done()
      },
    })
    const { polls, sessionQuotas, clock } = this
    const { accessCache, access, identities, nodeRoles } = iamOver({ store, scope, partition, now })
    this.accessCache = accessCache
    this.access = access
    this.identities = identities
    this.nodeRoles = nodeRoles
    const logger = loggerTo('info', stream)
    this.nodeWaits = new NodeWaits({ store, bus: this.bus, scope, clock, nodeRoles, logger })
    this.commands = new Commands({ store, bus, scope, clock: { ...clock, now }, logger })
    this.commandOutput = new CommandOutput(join(parts.directory, 'command-output'))
    this.commandWatches = new CommandWatches({ bus, scope, clock })
    const { nodeWaits, commands, commandOutput, commandWatches } = this
    this.authenticator = new Authenticator({
      store,
      sealing,
      scope,
      partition,
      sessionCredentials,
      identities,
      nodeRoles,
      logger,
      now,
    })
    const context = {
      scope,
      partition,
      store,
      sealing,
      bus,
      sessionCredentials,
      channelTokens,
      activationGuesses,
      polls,
      sessionQuotas,
      access,
      nodeRoles,
      nodeWaits,
      commands,
      commandOutput,
      commandWatches,
      agentRelease: new AgentRelease(undefined),
    }
    this.dispatch = new Dispatch({
      authenticator: this.authenticator,
      logger,
      context,
      accessCache,
      now,
    })
  }

  /** Any request, as it stands. */
  handle(request: Partial<ApiRequest>): Promise<Encoded> {
    const id = `request-${++this.#requests}`
    return this.dispatch.handle({ ...this.request({}), id, ...request })
  }

  request(parts: Partial<ApiRequest>): ApiRequest {
    return {
      id: 'request-0',
      method: 'POST',
      path: '/',
      query: '',
      headers: [],
      body: new Uint8Array(0),
      origin: ORIGIN,
      remoteAddress: this.remoteAddress,
      secure: true,
      gone: new AbortController().signal,
      ...parts,
    }
  }

  jsonRequest(operation: string, input: unknown, prefix = 'AmazonSSM'): ApiRequest {
    const body = Buffer.from(typeof input === 'string' ? input : JSON.stringify(input))
    const headers: Array<[string, string]> = [
      ['Host', HOST],
      ['Content-Type', 'application/x-amz-json-1.1'],
      ['X-Amz-Target', `${prefix}.${operation}`],
    ]
    return this.request({ headers, body })
  }

  signed(request: ApiRequest, credentials: Credentials, signing: Signing = {}): ApiRequest {
    const { region = scope.region, service = 'ssm', at = this.now } = signing
    const added = signRequest(nodeCrypto, request, credentials, { region, service }, at)
    return { ...request, headers: [...request.headers, ...added] }
  }

  /** As a managed node signs with its registered key (control-plane.md 3.1). `host` is what it signs for. */
  rsaSigned(request: ApiRequest, nodeId: string, privateKey: KeyObject, host?: string): ApiRequest {
    const amzDate = `${new Date(this.now).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
    const dated = { ...request, headers: [...request.headers, ['X-Amz-Date', amzDate] as const] }
    const signedHeaders = ['content-type', 'host', 'x-amz-date', 'x-amz-target']
    const date = amzDate.slice(0, 8)
    const form = {
      form: 'header',
      service: 'ssm',
      region: scope.region,
      signedHeaders,
      amzDate,
      date,
    } as const
    const padding = constants.RSA_PKCS1_PSS_PADDING
    const text = Buffer.from(stringToSign(nodeCrypto, dated, form, host))
    const signature = sign('sha256', text, { key: privateKey, padding, saltLength: 32 }).toString('base64')
    const authorization = `AWS4-HMAC-SHA256 Credential=${nodeId}/${date}/${scope.region}/ssm/aws4_request, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`
    return { ...dated, headers: [...dated.headers, ['Authorization', authorization]] }
  }

  /** An SSM operation, as the first administrator unless said. */
  async call(operation: string, input: unknown, credentials = this.administrator): Promise<Answer> {
    return read(await this.handle(this.signed(this.jsonRequest(operation, input), credentials)))
  }

  /** What it answers; throws if it is an error. */
  async ok(
    operation: string,
    input: unknown,
    credentials = this.administrator,
  ): Promise<Record<string, unknown>> {
    const answer = await this.call(operation, input, credentials)
    if (answer.status !== 200) throw new Error(`${operation}: ${answer.code}: ${answer.message}`)
    return answer.body
  }

  /** The code of the error that it answers; empty if it answers none. */
  async code(operation: string, input: unknown, credentials = this.administrator): Promise<string> {
    return (await this.call(operation, input, credentials)).code ?? ''
  }

  /** An IAM operation in the query protocol, as the aws CLI writes it. */
  iam(action: string, input: Record<string, string>, credentials = this.administrator): Promise<Answer> {
    return this.query('iam', { Action: action, Version: '2010-05-08', ...input }, credentials)
  }

  async query(service: string, form: Record<string, string>, credentials: Credentials): Promise<Answer> {
    const headers: Array<[string, string]> = [
      ['Host', HOST],
      ['Content-Type', 'application/x-www-form-urlencoded; charset=utf-8'],
    ]
    const request = this.request({ headers, body: Buffer.from(new URLSearchParams(form).toString()) })
    return read(await this.handle(this.signed(request, credentials, { service })))
  }

  /** An operation without a signature. */
  async anonymous(operation: string, input: unknown): Promise<Answer> {
    return read(await this.handle(this.jsonRequest(operation, input)))
  }

  /** A user with a key. `policies` are ARNs of managed policies or documents; an administrator unless said. */
  async user(
    userName: string,
    { policies = [ADMINISTRATOR_ACCESS], path = '/' }: { policies?: readonly string[]; path?: string } = {},
  ): Promise<Credentials> {
    const { store, sealing } = this
    const accessKeyId = `AKIA${Buffer.from(userName).toString('hex').slice(0, 100)}`
    const secretAccessKey = `secret of ${userName}`
    const sealedSecret = sealing.seal(secretAccessKey, accessKeyId)
    const createdAt = this.now
    await store.users.create(scope, { userName, userId: `AIDA${userName}`, path, createdAt })
    await store.accessKeys.create(scope, { accessKeyId, userName, sealedSecret, createdAt })
    await this.givePolicies({ ownerType: 'user', ownerName: userName }, policies)
    return { accessKeyId, secretAccessKey }
  }

  /** Documents are named `policy-0`, `policy-1` … after their place in the list. */
  async givePolicies(owner: Owner, policies: readonly string[]): Promise<void> {
    const { ownerPolicies } = this.store
    for (const [index, policy] of policies.entries()) {
      if (policy.startsWith('arn:')) {
        await ownerPolicies.attach(scope, { ...owner, policyArn: policy, attachedAt: this.now })
      } else {
        await ownerPolicies.putInline(scope, { ...owner, policyName: `policy-${index}`, document: policy })
      }
    }
    this.accessCache.forget()
  }

  /** Registers a node with an activation of its own. */
  async node(activation: object = {}): Promise<string> {
    const created = await this.ok('CreateActivation', { IamRole: 'SSMServiceRole', ...activation })
    const { ActivationId, ActivationCode } = created
    const machine = { Fingerprint: 'fingerprint', PublicKey: publicKeyText, PublicKeyType: 'Rsa' }
    const { body, code } = await this.anonymous('RegisterManagedInstance', {
      ActivationId,
      ActivationCode,
      ...machine,
    })
    if (code !== undefined) throw new Error(code)
    return String(body.InstanceId)
  }

  async onlineNode(activation: object = {}): Promise<string> {
    const nodeId = await this.node(activation)
    await this.store.nodes.setConnected(scope, nodeId, { epoch: this.now, server: 's', now: this.now })
    return nodeId
  }

  /** The credentials of the node's role. */
  asNode(nodeId: string, lifetime?: number): Credentials {
    const arn = `arn:aws:sts::${scope.accountId}:assumed-role/SSMServiceRole/${nodeId}`
    const principal = {
      kind: 'node',
      arn,
      userId: `AROA:${nodeId}`,
      nodeId,
      roleName: 'SSMServiceRole',
    } as const
    return this.sessionCredentials.issue(principal, this.now, lifetime)
  }
}

export async function openApi(): Promise<ApiForTest> {
  const { store, directory, dispose } = await temporaryStore()
  const sealing = await openSealing(join(directory, 'master.key'))
  const administrator = await firstStart({ store, sealing, realm: { partition: 'aws', scope }, now: 0 })
  if (administrator === undefined) throw new Error('the store is not new')
  return new ApiForTest({ store, sealing, administrator, directory, dispose })
}

export function read({ status, body, headers }: Encoded): Answer {
  const text = Buffer.from(body).toString()
  const json = (headers['content-type'] ?? '').includes('json')
  const parsed: Record<string, unknown> = json ? JSON.parse(text) : { text }
  const code =
    status >= 400 ? (headers['x-amzn-errortype'] ?? /<Code>(.*?)<\/Code>/.exec(text)?.[1]) : undefined
  const message = String(parsed.message ?? /<Message>(.*?)<\/Message>/.exec(text)?.[1] ?? '')
  return { status, code, message, body: parsed }
}
