import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NetworkNamespace, reaches } from './network-namespace.ts'
import { aws2, connect, RemoteShell } from './remote-shell.ts'
import { binDirectory, Service, type Stack, startStack } from './stack.ts'
import { run } from './terminal.ts'

// A network whose only way out is an HAProxy with the configuration of docs/how-to/private-networks.md: the role that
// an interface endpoint has at AWS. Needs root, for the network namespace.

const DOMAIN = 'sallyport.test'
const NAME = `ssm.${DOMAIN}`
const ENDPOINT = `https://${NAME}`
const PORT = 443
const configuration = join(
  dirname(fileURLToPath(import.meta.url)),
  '../docs/how-to/private-networks.haproxy.cfg',
)

let network: NetworkNamespace
let stack: Stack
let haproxy: Service

beforeAll(async () => {
  network = await NetworkNamespace.create()
  stack = await startStack({ nodes: 0, serverArguments: ['--listen', '0.0.0.0:0', '--domain', DOMAIN] })
  haproxy = new Service('haproxy', ['-W', '-db', '-f', configuration], {
    SALLYPORT_BIND: `${network.outside}:${PORT}`,
    SALLYPORT_SERVER: `127.0.0.1:${stack.httpsPort}`,
    SALLYPORT_DOMAIN: DOMAIN,
  })
  await haproxy.waitForLine(/Loading success/)
  expect(await reaches(network.outside, PORT, network.through)).toBe(true)
  // What the firewall then stops did go before.
  expect(await reaches(network.outside, stack.httpsPort, network.through)).toBe(true)
  await network.knowOnly(NAME, `ssmmessages.us-east-1.${DOMAIN}`, 'www.example.org')
  await network.dropInbound()
  await network.allowOutboundOnlyTo(PORT)
})

afterAll(async () => {
  await haproxy?.stop()
  await stack?.[Symbol.asyncDispose]()
  await network?.[Symbol.asyncDispose]()
})

test('a node that reaches nothing but HAProxy gives a shell, to those outside and to those inside', async () => {
  expect(await reaches(network.outside, stack.httpsPort, network.through)).toBe(false)
  const node = await stack.addNode('private', { endpoint: ENDPOINT, through: network.through })
  await using outside = await connect(stack, [node.id])
  expect(await outside.run('ip -4 -oneline address show scope global')).toContain(network.inside)

  // The address of the data channel is on the name that the call was made by; no other leads out of here.
  const within = [...network.through, 'env', `SALLYPORT_ENDPOINT_URL=${ENDPOINT}`]
  await using inside = new RemoteShell(
    stack,
    [...within, `${binDirectory}/sallyport`, 'connect', node.id],
    {},
  )
  await inside.ready()
  expect(await inside.run('echo from the inside')).toBe('from the inside')
  const call = ['ssm', 'start-session', '--target', node.id, '--endpoint-url', ENDPOINT]
  await using stock = new RemoteShell(stack, [...within, aws2, ...call], {})
  await stock.ready()
  expect(await stock.run('echo with the stock command')).toBe('with the stock command')
  expect(await reaches(network.outside, stack.httpsPort, network.through)).toBe(false)
})

test('TLS goes through unopened, under every name of the domain', async () => {
  for (const name of [DOMAIN, NAME, NAME.toUpperCase(), `ssmmessages.us-east-1.${DOMAIN}`]) {
    const { code, stdout } = await handshake('-servername', name, '-verify_hostname', name.toLowerCase())
    expect(stdout, name).toContain('Verification: OK')
    expect(code, name).toBe(0)
  }
  const path = '/.well-known/sallyport/ca.pem'
  const url = `https://ssmmessages.us-east-1.${DOMAIN}${path}`
  const fetched = await inNetwork('curl', '--silent', '--fail', '--cacert', stack.caFile, url)
  expect(fetched).toMatchObject({ code: 0, stdout: expect.stringContaining('BEGIN CERTIFICATE') })
})

test('HAProxy passes on no other name, no handshake without a name, and nothing that is no TLS', async () => {
  for (const sni of [
    ['-servername', 'www.example.org'],
    ['-servername', `${DOMAIN}.example.org`],
    ['-servername', `not${DOMAIN}`],
    ['-noservername'],
  ]) {
    const { code, stdout } = await handshake(...sni)
    expect(stdout, sni.join(' ')).toContain('no peer certificate available')
    expect(code, sni.join(' ')).not.toBe(0)
  }
  const request = `printf 'GET /healthz HTTP/1.1\\r\\nHost: ${NAME}\\r\\n\\r\\n' >&3; cat <&3`
  const plain = await inNetwork('bash', '-c', `exec 3<>/dev/tcp/${NAME}/${PORT}; ${request}`)
  expect(plain.stdout).toBe('')
  await haproxy.waitForLine(/name=www\.example\.org up=\d+ down=0 state=PR/)
})

const handshake = (...args: string[]) =>
  inNetwork(
    'openssl',
    's_client',
    '-connect',
    `${network.outside}:${PORT}`,
    '-verify_return_error',
    '-CAfile',
    stack.caFile,
    ...args,
  )

async function inNetwork(...command: string[]) {
  const [file = '', ...args] = [...network.through, ...command]
  return await run(file, args, { env: stack.env, input: '' })
}
