import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  accountId,
  ConfigError,
  domain,
  type ExpiredCredentials,
  expiredCredentials,
  hostName,
  httpListen,
  type ListenAddress,
  listenAddress,
  logLevel,
  type NamedValue,
  partition,
  publicUrl,
  region,
  seconds,
  sessionCount,
} from './config-values.ts'
import type { LogLevel } from './logger.ts'
import type { SessionQuotas } from './store/session-quotas.ts'
import type { CertificateFiles } from './tls/own-certificate.ts'

export { ConfigError, type ListenAddress }

/** Times in milliseconds. */
export type Timing = {
  /** How long a session may stay `Connecting` before it fails. */
  sessionStartTimeoutMs: number
  /** How often the server pings a client's data channel. */
  clientPingMs: number
  /** How long after a ping a peer may stay silent before its connection counts as dead. */
  pongTimeoutMs: number
  /** How long a lost control channel may take to come back before the node counts as gone. */
  presenceGraceMs: number
}

export type ServerConfig = {
  /** Absolute path. */
  dataDir: string
  listen: ListenAddress
  /** The plain HTTP listener, always on a loopback address; undefined is off. */
  httpListen: ListenAddress | undefined
  /** Extra names and addresses of the server's certificate; the first is the public name. */
  hostNames: string[]
  /** Domains under which the certificate has the host name of every service. */
  domains: string[]
  /** The operator's certificate, shown for the names that are in it. Absolute paths. */
  ownCertificate: CertificateFiles | undefined
  /** Origin that clients are told to use, without a slash at its end. */
  publicUrl: string | undefined
  region: string
  accountId: string
  partition: string
  log: { level: LogLevel; file: string | undefined }
  sessionQuotas: SessionQuotas
  /** What becomes of a session whose role credentials expire; AWS lets it run. */
  expiredCredentials: ExpiredCredentials
  timing: Timing
}

/** What the command line gave, under the names that its parser makes of the flags. */
export type ServerOptions = {
  dataDir?: string | undefined
  listen?: string | undefined
  httpListen?: string | undefined
  hostName?: string[] | undefined
  domain?: string[] | undefined
  tlsCert?: string | undefined
  tlsKey?: string | undefined
  publicUrl?: string | undefined
  region?: string | undefined
  accountId?: string | undefined
  partition?: string | undefined
  logLevel?: string | undefined
  logFile?: string | undefined
  expiredCredentials?: string | undefined
}

type Environment = Readonly<Record<string, string | undefined>>

/** The facts of the machine that defaults depend on. */
export type Machine = { isRoot: boolean; home: string }

/** A stock agent that is told to run more than 1,000 locks up for good (data-plane.md 7.2). */
const MAXIMUM_SESSIONS_PER_NODE = 1_000
/** Stops a program that starts sessions without end. */
const MAXIMUM_SESSIONS_PER_OWNER = 5_000

export const defaultTiming: Timing = {
  sessionStartTimeoutMs: 30_000,
  clientPingMs: 30_000,
  pongTimeoutMs: 15_000,
  presenceGraceMs: 2_500,
}

/**
 * The whole configuration of a server, checked. A flag beats its variable; an empty variable counts as unset.
 * Throws ConfigError, which names the flag or variable, its value and what was expected.
 */
export function readEnv(
  env: Environment,
  options: ServerOptions,
  machine: Machine = { isRoot: process.getuid?.() === 0, home: homedir() },
): ServerConfig {
  const read = <T>(
    option: ScalarOption | undefined,
    variable: string,
    parse: (named: NamedValue) => T,
    fallback: T,
  ): T => {
    const named = given(env, variable, option ?? '', option && options[option])
    return named === undefined ? fallback : parse(named)
  }
  return {
    dataDir: read('dataDir', 'SALLYPORT_DATA_DIR', absolutePath, defaultDataDir(machine)),
    listen: read('listen', 'SALLYPORT_LISTEN', listenAddress, { host: '0.0.0.0', port: 8443 }),
    httpListen: read('httpListen', 'SALLYPORT_HTTP_LISTEN', httpListen, { host: '127.0.0.1', port: 8080 }),
    hostNames: list(env, 'SALLYPORT_HOST_NAMES', '--host-name', options.hostName, hostName),
    domains: list(env, 'SALLYPORT_DOMAINS', '--domain', options.domain, domain),
    ownCertificate: ownCertificate(env, options),
    publicUrl: read('publicUrl', 'SALLYPORT_PUBLIC_URL', publicUrl, undefined),
    region: read('region', 'SALLYPORT_REGION', region, 'us-east-1'),
    accountId: read('accountId', 'SALLYPORT_ACCOUNT_ID', accountId, '123456789012'),
    partition: read('partition', 'SALLYPORT_PARTITION', partition, 'aws'),
    log: {
      level: read('logLevel', 'SALLYPORT_LOG_LEVEL', logLevel, 'info'),
      file: read('logFile', 'SALLYPORT_LOG_FILE', absolutePath, undefined),
    },
    sessionQuotas: {
      perNode: read(undefined, 'SALLYPORT_MAX_SESSIONS_PER_NODE', sessionCount, MAXIMUM_SESSIONS_PER_NODE),
      perOwner: read(undefined, 'SALLYPORT_MAX_SESSIONS_PER_OWNER', sessionCount, MAXIMUM_SESSIONS_PER_OWNER),
    },
    expiredCredentials: read(
      'expiredCredentials',
      'SALLYPORT_EXPIRED_CREDENTIALS',
      expiredCredentials,
      'let-run',
    ),
    timing: timing(env),
  }
}

type ScalarOption = Exclude<keyof ServerOptions, 'hostName' | 'domain'>

function given(
  env: Environment,
  variable: string,
  option: string,
  flagValue: string | undefined,
): NamedValue | undefined {
  if (flagValue !== undefined) return { name: flagOf(option), value: flagValue }
  const value = env[variable]
  return value === undefined || value === '' ? undefined : { name: variable, value }
}

function flagOf(option: string): string {
  return `--${option.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
}

function timing(env: Environment): Timing {
  const start = given(env, 'SALLYPORT_SESSION_START_TIMEOUT', '', undefined)
  return { ...defaultTiming, ...(start && { sessionStartTimeoutMs: seconds(start) * 1000 }) }
}

/** Repeated flags; else a variable with commas. */
function list(
  env: Environment,
  variable: string,
  flag: string,
  flags: string[] = [],
  parse: (named: NamedValue) => string,
): string[] {
  const listed = (env[variable] ?? '').split(',').map(value => value.trim())
  const named =
    flags.length > 0
      ? flags.map(value => ({ name: flag, value }))
      : listed.filter(value => value !== '').map(value => ({ name: variable, value }))
  return [...new Set(named.map(parse))]
}

function ownCertificate(env: Environment, options: ServerOptions): CertificateFiles | undefined {
  const certificate = given(env, 'SALLYPORT_TLS_CERT', 'tlsCert', options.tlsCert)
  const key = given(env, 'SALLYPORT_TLS_KEY', 'tlsKey', options.tlsKey)
  if (certificate === undefined && key === undefined) return undefined
  if (certificate === undefined || key === undefined) {
    const missing = certificate === undefined ? '--tls-cert' : '--tls-key'
    throw new ConfigError((certificate ?? key) as NamedValue, `${missing} with it`)
  }
  return { certificate: absolutePath(certificate), key: absolutePath(key) }
}

function absolutePath(named: NamedValue): string {
  if (named.value === '' || named.value.includes('\0')) throw new ConfigError(named, 'a path')
  return resolve(named.value)
}

function defaultDataDir(machine: Machine): string {
  return machine.isRoot ? '/var/lib/sallyport' : join(machine.home, '.sallyport')
}
