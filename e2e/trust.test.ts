import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { binDirectory, type Stack, startStack } from './stack.ts'
import { openTerminal, run } from './terminal.ts'

// `sallyport trust`: how the programs of a machine come to trust the server.

const sallyport = `${binDirectory}/sallyport`
/** Nothing here trusts anything of ours beforehand. */
const NOTHING = { AWS_CA_BUNDLE: undefined, SSL_CERT_FILE: undefined, SALLYPORT_ENDPOINT_URL: undefined }

let stack: Stack

beforeAll(async () => {
  stack = await startStack({ nodes: 0 })
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

const trust = (...args: string[]) => run(sallyport, ['trust', ...args], { env: { ...stack.env, ...NOTHING } })
const there = () => ['--endpoint-url', stack.endpoint]

describe('sallyport trust', () => {
  test('prints the CA, verified by its hash, for whoever has neither key nor region', async () => {
    const { code, stdout, stderr } = await trust(...there(), '--ca-hash', stack.caHash)
    expect(code).toBe(0)
    expect(stdout).toBe(await readFile(stack.caFile, 'utf8'))
    expect(stderr).toContain('verified  it has the hash that you gave')
    expect((await trust(...there())).stderr).toContain('verified  NO. Compare the hash')
    const env = { ...stack.env, ...NOTHING, NODE_TLS_REJECT_UNAUTHORIZED: '0' }
    const careless = await run(sallyport, ['trust', ...there()], { env })
    expect(careless.stderr, 'where nothing is verified').toContain('verified  NO. Compare the hash')
  })

  test('refuses the CA of somebody else', async () => {
    const { code, stdout, stderr } = await trust(...there(), '--ca-hash', `sha256:${'0'.repeat(64)}`)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(`presents a CA with hash ${stack.caHash}`)
    expect((await trust()).code).toBe(2)
  })

  test('writes a file, from the disk of the server, with which aws and curl reach it', async () => {
    const file = join(stack.directory, 'ca.pem')
    const written = await trust('--data-dir', stack.dataDirectory, '--output', file)
    expect(written).toMatchObject({ code: 0, stdout: '' })
    const env = { ...stack.env, AWS_CA_BUNDLE: file }
    expect(await run(sallyport, ['nodes'], { env })).toMatchObject({ code: 0 })
    const url = `${stack.endpoint}/healthz`
    expect(await run('curl', ['-s', '--cacert', file, url])).toMatchObject({ stdout: 'ok\n' })
  })

  test('does not install without root, nor what nobody has vouched for', async () => {
    const asNobody = [
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      '--',
      sallyport,
      'trust',
      '--install',
    ]
    const env = { ...stack.env, ...NOTHING, HOME: '/' }
    const refused = await run('setpriv', [...asNobody, ...there()], { env })
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('needs root') })

    await using machine = await OtherMachine.create()
    const unattended = await machine.run('sallyport trust --install')
    expect(unattended).toMatchObject({ code: 1, stderr: expect.stringContaining('Give --ca-hash') })
    for (const [answer, status] of [
      ['no', 1],
      ['yes', 0],
    ] as const) {
      await using terminal = openTerminal(machine.command('sallyport trust --install'))
      await terminal.waitFor(new RegExp(`CA hash +${stack.caHash}`))
      await terminal.waitFor(/Type yes to install it: /)
      expect(await machine.installed()).toEqual([])
      await terminal.send(`${answer}\r`)
      expect(await terminal.exited).toMatchObject({ exitCode: status })
    }
    expect(await machine.installed()).toHaveLength(1)
  })

  test('installs it for the whole machine, and takes it out again', async () => {
    const before = await ownCertificates()
    await using machine = await OtherMachine.create()
    const { code, stdout, stderr } = await machine.run(`
      ${REACH}
      reach
      sallyport trust --install --ca-hash ${stack.caHash} || exit
      reach
      sallyport trust --uninstall || exit
      reach`)
    expect(stderr).toMatch(/Wrote \S+\.crt and ran update-ca-certificates\.\n/)
    expect(stderr).toContain('AWS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt')
    expect(stderr).toMatch(/Removed \S+\.crt and ran update-ca-certificates --fresh\.\n/)
    // 60: curl does not trust the certificate.
    const outside = 'curl 60\nopenssl 1\nnodes 255\nlinks 0\n'
    const inside = 'curl 0\nopenssl 0\nnodes 0\nlinks 2\n'
    expect(stdout).toBe(outside + inside + outside)
    expect(code).toBe(0)
    expect(await ownCertificates()).toEqual(before)
  })
})

/** Tells which programs trust the server. */
const REACH = `
reach() {
  curl -s -o /dev/null $SALLYPORT_ENDPOINT_URL/healthz; echo "curl $?"
  openssl s_client -connect \${SALLYPORT_ENDPOINT_URL#https://} -verify_return_error < /dev/null > /dev/null 2>&1
  echo "openssl $?"
  AWS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt sallyport nodes 2> /dev/null; echo "nodes $?"
  echo "links $(find /etc/ssl/certs -lname '*sallyport-*' | wc -l)"
}`
const ANCHORS = '/usr/local/share/ca-certificates'
const ownCertificates = async () => [
  await readFile('/etc/ssl/certs/ca-certificates.crt', 'utf8'),
  await readdir('/etc/ssl/certs'),
  await readdir(ANCHORS),
]

/** Shares everything with this machine but its list of CAs, by a mount namespace; it begins with the same ones. */
class OtherMachine implements AsyncDisposable {
  readonly #directory: string
  readonly #before: string[]

  static async create(): Promise<OtherMachine> {
    const directory = await mkdtemp(join(tmpdir(), 'sallyport-store-'))
    for (const folder of ['/etc/ssl', ANCHORS])
      await cp(folder, join(directory, folder), { recursive: true, verbatimSymlinks: true })
    return new OtherMachine(directory, await readdir(ANCHORS))
  }

  private constructor(directory: string, before: string[]) {
    this.#directory = directory
    this.#before = before
  }

  /** A shell script there, for `openTerminal`. */
  command(script: string) {
    const mounts = ['/etc/ssl', ANCHORS].map(folder => `mount --bind "$0${folder}" ${folder}`).join(' && ')
    const inside = ['/bin/sh', '-c', `${mounts} && exec /bin/sh -c "$1"`, this.#directory, script]
    const env = { ...stack.env, ...NOTHING, SALLYPORT_ENDPOINT_URL: stack.endpoint }
    return { file: 'unshare', args: ['--mount', '--propagation', 'private', '--', ...inside], env }
  }

  async run(script: string) {
    const { file, args, env } = this.command(script)
    return await run(file, args, { env, input: '', timeoutMs: 60_000 })
  }

  /** What was added to the administrator's CAs. */
  async installed(): Promise<string[]> {
    const names = await readdir(join(this.#directory, ANCHORS))
    return names.filter(name => !this.#before.includes(name))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true })
  }
}
