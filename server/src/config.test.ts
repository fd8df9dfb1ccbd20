import { expect, test } from 'vitest'
import { ConfigError, readEnv, type ServerOptions } from './config.ts'

const user = { isRoot: false, home: '/home/ada' }

test('no settings give a server that starts', () => {
  expect(readEnv({}, {}, user)).toEqual({
    dataDir: '/home/ada/.sallyport',
    listen: { host: '0.0.0.0', port: 8443 },
    httpListen: { host: '127.0.0.1', port: 8080 },
    hostNames: [],
    domains: [],
    ownCertificate: undefined,
    publicUrl: undefined,
    region: 'us-east-1',
    accountId: '123456789012',
    partition: 'aws',
    log: { level: 'info', file: undefined },
    sessionQuotas: { perNode: 1000, perOwner: 5000 },
    expiredCredentials: 'let-run',
    timing: {
      sessionStartTimeoutMs: 30_000,
      clientPingMs: 30_000,
      pongTimeoutMs: 15_000,
      presenceGraceMs: 2_500,
    },
  })
  expect(readEnv({}, {}, { isRoot: true, home: '/root' }).dataDir).toBe('/var/lib/sallyport')
})

test('variables are read, empty ones count as unset, and a flag beats its variable', () => {
  const env = {
    SALLYPORT_LISTEN: '[::1]:0',
    SALLYPORT_HTTP_LISTEN: 'off',
    SALLYPORT_HOST_NAMES: 'SSM.example.org, 192.0.2.7 ,2001:db8::7,*.ssm.example.org,ssm.example.org',
    SALLYPORT_PUBLIC_URL: 'https://ssm.example.org/',
    SALLYPORT_REGION: 'eu-central-1',
    SALLYPORT_ACCOUNT_ID: '',
    SALLYPORT_LOG_LEVEL: 'debug',
  }
  expect(readEnv(env, { region: 'local', logFile: '/var/log/s.log' }, user)).toMatchObject({
    listen: { host: '::1', port: 0 },
    httpListen: undefined,
    hostNames: ['ssm.example.org', '192.0.2.7', '2001:db8::7', '*.ssm.example.org'],
    publicUrl: 'https://ssm.example.org',
    region: 'local',
    accountId: '123456789012',
    log: { level: 'debug', file: '/var/log/s.log' },
  })
  expect(readEnv(env, { hostName: ['door.example.org'] }, user).hostNames).toEqual(['door.example.org'])
})

test('domains are names that others can stand before', () => {
  const env = { SALLYPORT_DOMAINS: 'Corp.example.org, sallyport.test' }
  expect(readEnv(env, {}, user).domains).toEqual(['corp.example.org', 'sallyport.test'])
  expect(readEnv(env, { domain: ['a.example.org'] }, user).domains).toEqual(['a.example.org'])
})

test('a certificate comes with its key', () => {
  const files = { certificate: '/etc/tls/chain.pem', key: '/etc/tls/key.pem' }
  const env = { SALLYPORT_TLS_CERT: files.certificate }
  expect(readEnv(env, { tlsKey: files.key }, user).ownCertificate).toEqual(files)
  expect(() => readEnv(env, {}, user)).toThrow(
    'SALLYPORT_TLS_CERT is "/etc/tls/chain.pem"; expected --tls-key with it',
  )
  expect(() => readEnv({}, { tlsKey: 'k' }, user)).toThrow('--tls-key is "k"; expected --tls-cert with it')
})

test('how long a node may take to start a session is a number of seconds', () => {
  const env = (value: string) => ({ SALLYPORT_SESSION_START_TIMEOUT: value })
  expect(readEnv(env('5'), {}, user).timing.sessionStartTimeoutMs).toBe(5_000)
  expect(readEnv(env(''), {}, user).timing.sessionStartTimeoutMs).toBe(30_000)
  for (const value of ['0', '3601', '1.5', '5s', '-1']) {
    expect(() => readEnv(env(value), {}, user)).toThrow(
      `SALLYPORT_SESSION_START_TIMEOUT is "${value}"; expected a number of seconds from 1 to 3600`,
    )
  }
})

test('how many sessions there may be at a time is a number', () => {
  const env = (value: string) => ({
    SALLYPORT_MAX_SESSIONS_PER_NODE: value,
    SALLYPORT_MAX_SESSIONS_PER_OWNER: '7',
  })
  expect(readEnv(env('2'), {}, user).sessionQuotas).toEqual({ perNode: 2, perOwner: 7 })
  for (const value of ['0', '1000001', '1.5', 'many', '-1']) {
    expect(() => readEnv(env(value), {}, user)).toThrow(
      `SALLYPORT_MAX_SESSIONS_PER_NODE is "${value}"; expected a number of sessions from 1 to 1000000`,
    )
  }
})

test('an address on every loopback spelling is accepted for plain HTTP', () => {
  for (const address of ['127.0.0.1:80', '127.9.8.7:0', '[::1]:8080', 'localhost:8080']) {
    expect(readEnv({ SALLYPORT_HTTP_LISTEN: address }, {}, user).httpListen?.host).toBeDefined()
  }
})

const wrong: [ServerOptions, string][] = [
  [{ listen: '8443' }, '--listen'],
  [{ listen: 'localhost:65536' }, '--listen'],
  [{ listen: '::1:8443' }, '--listen'],
  [{ listen: '[127.0.0.1]:8443' }, '--listen'],
  [{ listen: '1.2.3:8443' }, '--listen'],
  [{ listen: '' }, '--listen'],
  [{ httpListen: '0.0.0.0:8080' }, '--http-listen'],
  [{ httpListen: '192.168.0.1:8080' }, '--http-listen'],
  [{ httpListen: '[::]:8080' }, '--http-listen'],
  [{ httpListen: 'localhost.example.org:8080' }, '--http-listen'],
  [{ hostName: ['good.example.org', 'https://bad'] }, '--host-name'],
  [{ hostName: ['300.1.1.1'] }, '--host-name'],
  [{ hostName: ['a..b'] }, '--host-name'],
  [{ domain: ['*.example.org'] }, '--domain'],
  [{ domain: ['192.0.2.7'] }, '--domain'],
  [{ domain: ['example.org:8443'] }, '--domain'],
  [{ publicUrl: 'http://ssm.example.org' }, '--public-url'],
  [{ publicUrl: 'https://ssm.example.org/path' }, '--public-url'],
  [{ publicUrl: 'nonsense' }, '--public-url'],
  [{ region: 'us east' }, '--region'],
  [{ accountId: '1234' }, '--account-id'],
  [{ partition: 'azure' }, '--partition'],
  [{ expiredCredentials: 'never' }, '--expired-credentials'],
  [{ logLevel: 'loud' }, '--log-level'],
  [{ dataDir: '' }, '--data-dir'],
]

test.each(wrong)(
  '%j is refused with the name of the flag, the value and what was expected',
  (options, flag) => {
    const value = String(Object.values(options).flat().at(-1))
    const error = thrownBy(() => readEnv({}, options, user))
    expect(error).toMatchObject({ name: 'ConfigError', option: flag, value })
    expect(String(error)).toContain(`${flag} is ${JSON.stringify(value)}; expected `)
  },
)

test('what expired credentials mean for a session is a flag or a variable', () => {
  const variable = { SALLYPORT_EXPIRED_CREDENTIALS: 'end' }
  expect(readEnv(variable, {}, user).expiredCredentials).toBe('end')
  expect(readEnv(variable, { expiredCredentials: 'let-run' }, user).expiredCredentials).toBe('let-run')
})

test('a bad variable is named as the variable', () => {
  expect(thrownBy(() => readEnv({ SALLYPORT_LISTEN: 'x' }, {}, user))).toMatchObject({
    option: 'SALLYPORT_LISTEN',
  })
  expect(thrownBy(() => readEnv({ SALLYPORT_HOST_NAMES: 'a,/b' }, {}, user))).toMatchObject({
    option: 'SALLYPORT_HOST_NAMES',
    value: '/b',
  })
})

function thrownBy(run: () => unknown): ConfigError | undefined {
  try {
    run()
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  return undefined
}
