import { join } from 'node:path'
import { nodeClock } from '@sallyport/protocol/transport/node-clock'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { AgentRelease } from './agent-release.ts'
import { Authenticator } from './api/authenticate.ts'
import { CommandWatches } from './api/command-watches.ts'
import { Dispatch } from './api/dispatch.ts'
import { HeldPolls } from './api/held-polls.ts'
import { NodeWaits } from './api/node-waits.ts'
import { accessSubject } from './bus/bus.ts'
import { openMemoryBus } from './bus/memory.ts'
import { Commands } from './commands/commands.ts'
import { CommandOutput } from './commands/output.ts'
import type { ServerConfig } from './config.ts'
import { Accept } from './gateway/accept.ts'
import { Gateway } from './gateway/gateway.ts'
import { CHANNEL_TOKEN_KEY_SIZE, ChannelTokens } from './iam/channel-tokens.ts'
import { type FirstAdministrator, firstStart } from './iam/first-start.ts'
import { ActivationGuesses } from './iam/guess-limit.ts'
import { iamOver } from './iam/iam.ts'
import { SEALING_KEY_SIZE, SessionCredentials } from './iam/session-credentials.ts'
import type { Logger } from './logger.ts'
import { type Listening, Server } from './server.ts'
import { SessionAuthority } from './session-authority/authority.ts'
import { makePrivateDirectory } from './store/private-file.ts'
import { openSealing } from './store/sealing.ts'
import { openStore } from './store/store.ts'
import { openAuthority } from './tls/authority.ts'
import { endpointNames } from './tls/endpoint-names.ts'
import { ListenerCertificates } from './tls/listener-certificates.ts'
import { OwnCertificate } from './tls/own-certificate.ts'

/** Names this server in the store; with one server any name does, as long as it stays. */
const SERVER_ID = 'server-1'

export type Context = {
  gateway: Gateway
  /** The CA's fingerprint, for join commands. */
  caFingerprint: string
  caFile: string
  /**
   * Takes the ports, and then alone changes anything in the store: a second server on the same data must not take
   * the nodes of the first away, and a key must not be made that nobody is going to see. Rejects with ListenError.
   */
  start(): Promise<Started>
  refreshCertificates(): Promise<void>
  /** Closes everything in the reverse order. */
  close(): Promise<void>
}

export type Started = {
  listening: Listening
  /** Credentials made at the first start; undefined ever after. */
  administrator: FirstAdministrator | undefined
}

/** Builds the whole server from its configuration; nothing listens yet. */
export async function openContext(config: ServerConfig, logger: Logger): Promise<Context> {
  const { dataDir, partition } = config
  const scope = { accountId: config.accountId, region: config.region }
  await makePrivateDirectory(dataDir)
  const tlsDirectory = join(dataDir, 'tls')
  const hostNames = [
    ...config.hostNames,
    ...config.domains.flatMap(domain => endpointNames(domain, config.region)),
  ]
  const authority = await openAuthority({ directory: tlsDirectory, hostNames })
  const ownCertificate = config.ownCertificate && (await OwnCertificate.open(config.ownCertificate))
  const sealing = await openSealing(join(dataDir, 'master.key'))
  const store = await openStore({ path: join(dataDir, 'sallyport.db') })
  const bus = openMemoryBus({
    onError: (error, subject) => logger.error({ err: error, subject }, 'a subscriber failed'),
  })
  const [sealingKey, tokenKey] = await Promise.all([
    store.secrets.getOrCreate(scope, 'session-credentials', SEALING_KEY_SIZE),
    store.secrets.getOrCreate(scope, 'channel-tokens', CHANNEL_TOKEN_KEY_SIZE),
  ])
  const sessionCredentials = new SessionCredentials(sealingKey)
  const channelTokens = new ChannelTokens(tokenKey)
  const now = Date.now
  const { accessCache, access, identities, nodeRoles } = iamOver({
    store,
    scope,
    partition,
    onBadPolicy: (policy, error) => logger.error({ policy, err: error }, 'a stored policy cannot be read'),
    now,
  })
  bus.subscribe(accessSubject(scope), () => accessCache.forget())
  const authenticator = new Authenticator({
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
  const activationGuesses = new ActivationGuesses()
  const clock = nodeClock
  const polls = new HeldPolls(clock)
  const nodeWaits = new NodeWaits({ store, bus, scope, clock, nodeRoles, logger })
  const commandOutput = new CommandOutput(join(dataDir, 'command-output'))
  const onRemoved = (commandId: string) => commandOutput.remove(commandId)
  const commands = new Commands({ store, bus, scope, clock, logger, onRemoved })
  const commandWatches = new CommandWatches({ bus, scope, clock })
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
    sessionQuotas: config.sessionQuotas,
    access,
    nodeRoles,
    nodeWaits,
    commands,
    commandOutput,
    commandWatches,
    agentRelease: new AgentRelease(process.argv[1]),
  }
  const dispatch = new Dispatch({ authenticator, logger, context, accessCache, now })
  const gateway = new Gateway({
    scope,
    serverId: SERVER_ID,
    store,
    bus,
    crypto: nodeCrypto,
    clock,
    logger,
    timing: config.timing,
    authority: new SessionAuthority({
      store,
      scope,
      partition,
      cache: accessCache,
      access,
      identities,
      nodeRoles,
      now,
    }),
    expiredCredentials: config.expiredCredentials,
    nodeRoles,
    commands,
  })
  const accept = new Accept({ gateway, store, scope, channelTokens, clock, logger })
  const server = new Server({
    certificates: new ListenerCertificates({ authority, ownCertificate, logger }),
    authenticator,
    dispatch,
    accept,
    nodeRoles,
    logger,
    publicUrl: config.publicUrl,
  })
  return {
    gateway,
    caFingerprint: authority.caFingerprint,
    caFile: join(tlsDirectory, 'ca.pem'),
    async start() {
      const listening = await server.listen(config.listen, config.httpListen)
      // First: by it the sessions of an earlier version are allowed to go on.
      const administrator = await firstStart({ store, sealing, realm: { partition, scope }, now: now() })
      await gateway.restore()
      await commands.start()
      server.serve()
      return { listening, administrator }
    },
    refreshCertificates: () => server.refreshCertificates(),
    async close() {
      gateway.close()
      polls.close()
      nodeWaits.close()
      commandWatches.close()
      await server.close()
      await commands.close()
      await bus.close()
      await store.close()
    },
  }
}
