import { parseArgs } from 'node:util'
import { ConfigError, readEnv, type ServerConfig } from './config.ts'
import { type Context, openContext, type Started } from './context.ts'
import { credentialLines } from './credential-lines.ts'
import { createLogger, type Logger } from './logger.ts'
import { RESET_COMMAND, RESET_USAGE, ResetError, readResetOptions, reset } from './reset-command.ts'
import { startFailure } from './start-failure.ts'

const USAGE = `usage: sallyport server [options]
       sallyport server reset-administrator [options]   when nobody can administer it any more

  --data-dir DIR           everything the server keeps (SALLYPORT_DATA_DIR; /var/lib/sallyport as root, else ~/.sallyport)
  --listen HOST:PORT       HTTPS and websockets (SALLYPORT_LISTEN; 0.0.0.0:8443)
  --http-listen HOST:PORT  plain HTTP, loopback only, or "off" (SALLYPORT_HTTP_LISTEN; 127.0.0.1:8080)
  --host-name NAME         name or address that clients and agents use; repeatable (SALLYPORT_HOST_NAMES)
  --domain DOMAIN          also ssm.DOMAIN, ssmmessages.DOMAIN, … in the certificate; repeatable (SALLYPORT_DOMAINS)
  --tls-cert FILE          a certificate of your own, PEM, shown for its names (SALLYPORT_TLS_CERT)
  --tls-key FILE           its key, PEM (SALLYPORT_TLS_KEY)
  --public-url URL         how clients reach a server behind a proxy (SALLYPORT_PUBLIC_URL)
  --region REGION          (SALLYPORT_REGION; us-east-1)
  --account-id ID          12 digits (SALLYPORT_ACCOUNT_ID; 123456789012)
  --partition NAME         (SALLYPORT_PARTITION; aws)
  --expired-credentials W  let-run or end: what becomes of a session when the credentials expire that it was started
                           with (SALLYPORT_EXPIRED_CREDENTIALS; let-run)
  --log-level LEVEL        trace, debug, info, warn, error, fatal or silent (SALLYPORT_LOG_LEVEL; info)
  --log-file FILE          in place of standard error (SALLYPORT_LOG_FILE)

SALLYPORT_SESSION_START_TIMEOUT is how long a node may take to open its end of a session (seconds; 30).
SALLYPORT_MAX_SESSIONS_PER_NODE (1000) and SALLYPORT_MAX_SESSIONS_PER_OWNER (5000) bound the sessions at a time.
`
const OK = 0
const FAILURE = 1
const USAGE_ERROR = 2

/** `sallyport server …`: runs until a signal; answers the exit status. */
export async function runServer(argv: readonly string[]): Promise<number> {
  if (argv[0] === RESET_COMMAND) return await runReset(argv.slice(1))
  let config: ServerConfig
  try {
    const options = readOptions(argv)
    if (options === undefined) {
      process.stdout.write(USAGE)
      return OK
    }
    config = readEnv(process.env, options)
  } catch (error) {
    process.stderr.write(`sallyport server: ${(error as Error).message}\n`)
    return error instanceof ConfigError || isUsageError(error) ? USAGE_ERROR : FAILURE
  }
  let logger: Logger
  try {
    logger = createLogger(config.log)
  } catch (error) {
    const problem = `The log file ${config.log.file} cannot be written: ${(error as Error).message}.`
    process.stderr.write(`sallyport server: ${problem} Choose another with --log-file.\n`)
    return FAILURE
  }
  return await serve(config, logger)
}

async function runReset(argv: readonly string[]): Promise<number> {
  let dataDir = ''
  try {
    const options = readResetOptions(argv)
    if (options !== undefined) dataDir = options.config.dataDir
    process.stdout.write(options === undefined ? RESET_USAGE : await reset(options, Date.now()))
    return OK
  } catch (error) {
    const reason = error instanceof ResetError ? error.message : startFailure(error, { dataDir })
    process.stderr.write(`sallyport server ${RESET_COMMAND}: ${reason ?? (error as Error).message}\n`)
    return error instanceof ConfigError || isUsageError(error) ? USAGE_ERROR : FAILURE
  }
}

async function serve(config: ServerConfig, logger: Logger): Promise<number> {
  let context: Context | undefined
  try {
    context = await openContext(config, logger)
    const started = await context.start()
    if (config.ownCertificate !== undefined) onHangUp(context)
    process.stdout.write(welcome(config, context, started))
    const signal = await nextSignal()
    logger.info(
      { signal, nodes: context.gateway.nodeCount, sessions: context.gateway.sessionCount },
      'stopping',
    )
    return OK
  } catch (error) {
    const reason = startFailure(error, config)
    // On a screen the reason alone says all there is to do; a file is read by who did not see that.
    if (reason === undefined) logger.fatal({ err: error }, 'the server could not start')
    else if (config.log.file !== undefined) logger.fatal({ reason }, 'the server could not start')
    process.stderr.write(`sallyport server: ${reason ?? (error as Error).message}\n`)
    return FAILURE
  } finally {
    await context?.close()
  }
}

function readOptions(argv: readonly string[]) {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...argv],
    options: {
      'data-dir': text,
      listen: text,
      'http-listen': text,
      'host-name': { type: 'string', multiple: true },
      domain: { type: 'string', multiple: true },
      'tls-cert': text,
      'tls-key': text,
      'public-url': text,
      region: text,
      'account-id': text,
      partition: text,
      'expired-credentials': text,
      'log-level': text,
      'log-file': text,
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return undefined
  return {
    dataDir: values['data-dir'],
    listen: values.listen,
    httpListen: values['http-listen'],
    hostName: values['host-name'],
    domain: values.domain,
    tlsCert: values['tls-cert'],
    tlsKey: values['tls-key'],
    publicUrl: values['public-url'],
    region: values.region,
    accountId: values['account-id'],
    partition: values.partition,
    expiredCredentials: values['expired-credentials'],
    logLevel: values['log-level'],
    logFile: values['log-file'],
  }
}

function isUsageError(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') === true
}

/** Lines that a person copies from, and that a script can read. */
function welcome(config: ServerConfig, context: Context, { listening, administrator }: Started): string {
  const name = config.hostNames[0] ?? config.domains[0] ?? 'localhost'
  const lines = [
    `Sallyport server, region ${config.region}, account ${config.accountId}`,
    `  HTTPS      https://${name}:${listening.https.port}`,
    ...(listening.http
      ? [`  HTTP       http://${listening.http.host}:${listening.http.port} (this machine only)`]
      : []),
    `  data       ${config.dataDir}`,
    `  CA         ${context.caFile}`,
    `  CA hash    ${context.caFingerprint}`,
  ]
  if (administrator !== undefined) {
    lines.push('', ...credentialLines(`First administrator, "${administrator.userName}"`, administrator))
  }
  return `${lines.join('\n')}\n\nReady.\n`
}

/** Only where there is something to read again: otherwise a closed terminal goes on ending its server. */
function onHangUp(context: Context): void {
  process.on('SIGHUP', () => void context.refreshCertificates())
}

function nextSignal(): Promise<string> {
  return new Promise(resolve => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve(name))
  })
}
