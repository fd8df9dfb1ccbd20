import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect } from './remote-shell.ts'
import { binDirectory, type Stack, startStack } from './stack.ts'
import { run } from './terminal.ts'

// A server with a certificate of its operator's, for one name, beside the one of its own CA. Needs root: the name is
// known in a mount namespace only.

const sallyport = `${binDirectory}/sallyport`
const NAME = 'public.test'

let stack: Stack
let directory: string
let knowingTheName: string[]

const path = (name: string) => join(directory, name)
const publicEndpoint = () => `https://${NAME}:${stack.httpsPort}`
/** Trusts the public CA and no other. */
const publicEnv = () => ({
  AWS_CA_BUNDLE: path('ca.pem'),
  NODE_EXTRA_CA_CERTS: path('ca.pem'),
  SALLYPORT_ENDPOINT_URL: publicEndpoint(),
})

beforeAll(async () => {
  directory = join(process.env.TMPDIR ?? '/tmp', `sallyport-public-${process.pid}`)
  await mkdir(directory)
  await openssl('-x509', '-subj', '/CN=Public CA', '-keyout', path('ca-key.pem'), '-out', path('ca.pem'))
  await issue('first')
  const files = ['--tls-cert', path('chain.pem'), '--tls-key', path('key.pem')]
  stack = await startStack({ nodes: 0, serverArguments: files })
  await writeFile(path('hosts'), `127.0.0.1 localhost ${NAME}\n`)
  const mount = 'mount --bind "$0" /etc/hosts && exec "$@"'
  knowingTheName = ['unshare', '--mount', '--', '/bin/sh', '-c', mount, path('hosts')]
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
  await run('rm', ['-r', directory])
})

const openssl = async (...args: string[]) => {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const { code, stderr } = await run('openssl', ['req', ...key, ...args])
  if (code !== 0) throw new Error(stderr)
}

/** Puts a new certificate and key in place of the present ones. */
async function issue(organization: string): Promise<void> {
  const names = ['-subj', `/O=${organization}/CN=${NAME}`, '-addext', `subjectAltName=DNS:${NAME}`]
  const leaf = [
    '-addext',
    'basicConstraints=critical,CA:FALSE',
    '-CA',
    path('ca.pem'),
    '-CAkey',
    path('ca-key.pem'),
  ]
  await openssl('-x509', ...names, ...leaf, '-keyout', path('next-key.pem'), '-out', path('next.pem'))
  await rename(path('next-key.pem'), path('key.pem'))
  await rename(path('next.pem'), path('chain.pem'))
}

const onPublicName = async (...args: string[]) => {
  const [file = '', ...rest] = [...knowingTheName, sallyport, ...args]
  return await run(file, rest, { env: { ...stack.env, ...publicEnv() } })
}

test('agents that pinned the CA and people with the public certificate use the same server', async () => {
  const pinned = await stack.addNode('pinned')
  const list = await onPublicName('nodes')
  expect(list).toMatchObject({ code: 0, stdout: expect.stringContaining(pinned.id) })

  const { stdout: join } = await onPublicName('activations', 'create')
  expect(join).not.toContain('--ca-hash')
  const [, ...args] = join.replaceAll('\\\n', ' ').trim().split(/ +/)
  const stateDirectory = path('agent')
  const registered = await onPublicName(...args, '--state-dir', stateDirectory)
  expect(registered.stderr).toBe('')
  const node = await stack.startNode(stateDirectory, { through: knowingTheName, env: publicEnv() })
  await using shell = await connect(stack, [node.id])
  expect(await shell.run('echo over the public name')).toBe('over the public name')
})

test('under the public name there is no CA to trust', async () => {
  const { code, stdout, stderr } = await onPublicName('trust', '--ca-hash', stack.caHash)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain(`${publicEndpoint()} has no CA of its own to trust`)
})

test('a certificate that was renewed is taken up at SIGHUP, without a restart', async () => {
  expect(await shown()).toContain('O = first')
  await issue('second')
  process.kill(stack.server.pid, 'SIGHUP')
  await stack.server.waitForLine(/read a new certificate/)
  expect(await shown()).toContain('O = second')
  await writeFile(path('key.pem'), 'lost')
  process.kill(stack.server.pid, 'SIGHUP')
  await stack.server.waitForLine(/holds no unencrypted private key.*could not be read again/)
  expect(await shown()).toContain('O = second')
})

test('a server with a certificate that it cannot use does not start', async () => {
  const files = ['--tls-cert', path('absent.pem'), '--tls-key', path('key.pem')]
  const ports = ['--listen', '127.0.0.1:0', '--http-listen', 'off']
  const started = await stack.sallyport('server', '--data-dir', path('data'), ...ports, ...files)
  expect(started.code).toBe(1)
  expect(started.stderr).toMatch(
    /^sallyport server: The certificate cannot be read: ENOENT.*absent\.pem.*--tls-cert.*\n$/,
  )
})

/** The subject of the certificate under the public name. */
async function shown(): Promise<string> {
  const target = ['-connect', `localhost:${stack.httpsPort}`, '-servername', NAME, '-verify_hostname', NAME]
  const verified = ['-CAfile', path('ca.pem'), '-verify_return_error']
  const { code, stdout } = await run('openssl', ['s_client', ...target, ...verified], { input: '' })
  expect(code).toBe(0)
  return /^subject=.*$/m.exec(stdout)?.[0] ?? ''
}
