import { createHash, X509Certificate } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CommandContext } from '../context.ts'
import { type Machine, type TrustOptions, trust } from './trust.ts'

const [CA = '', OTHER = ''] = rootCertificates.map(text => new X509Certificate(text).toString())
const hashOf = (pem: string) =>
  `sha256:${createHash('sha256').update(new X509Certificate(pem).raw).digest('hex')}`

let directory: string
let server: Server
let answer: { status: number; body: string }

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-trust-'))
  answer = { status: 200, body: CA }
  server = createServer((_, response) => response.writeHead(answer.status).end(answer.body))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
})
afterEach(async () => {
  server.close()
  await rm(directory, { recursive: true })
})

const call = async (options: TrustOptions, machine: Partial<Machine> = {}) => {
  const seen = { out: '', err: '', code: 0 }
  const context: CommandContext = {
    env: { PATH: join(directory, 'bin'), AWS_CONFIG_FILE: '/dev/null', HOME: directory },
    out: text => {
      seen.out += text
    },
    err: text => {
      seen.err += text
    },
    now: Date.now,
    connect: () => Promise.reject(new Error('nobody has to sign in for this')),
  }
  const { port } = server.address() as AddressInfo
  const endpointUrl = options.dataDir ? undefined : `http://127.0.0.1:${port}`
  const all = { isRoot: true, root: join(directory, 'root'), ask: undefined, ...machine }
  seen.code = await trust({ ...options, endpointUrl }, context, all)
  return seen
}

test('the CA is all that is on standard output, and nothing vouches for it yet', async () => {
  const { out, err } = await call({})
  expect(out).toBe(CA)
  expect(err).toContain(`CA hash   ${hashOf(CA)}\n`)
  expect(err).toContain('verified  NO. Compare')
  expect(err).toContain('AWS_CA_BUNDLE=FILE')
})

test('with its hash, in whichever form it was copied, it is verified', async () => {
  const hex = hashOf(CA).slice('sha256:'.length)
  const colons = (hex.match(/../g) ?? []).join(':').toUpperCase()
  for (const caHash of [hashOf(CA), hex, colons]) {
    expect((await call({ caHash })).err).toContain('verified  it has the hash that you gave')
  }
  for (const caHash of ['sha256:12', `${hex}0`, `x${hex}`, '']) {
    await expect(call({ caHash }), caHash).rejects.toThrow(/expected sha256: and 64 hex digits/)
  }
})

test('another CA than the one expected is not printed', async () => {
  await expect(call({ caHash: hashOf(OTHER) })).rejects.toThrow(
    `presents a CA with hash ${hashOf(CA)}, not ${hashOf(OTHER)}`,
  )
})

test('a second certificate behind the right one is left behind', async () => {
  answer.body = CA + OTHER
  expect((await call({ caHash: hashOf(CA) })).out).toBe(CA)
})

test('what is no CA is refused', async () => {
  answer.body = '<html>'
  await expect(call({})).rejects.toThrow(/is no certificate/)
  answer.status = 502
  await expect(call({})).rejects.toThrow(/\(502\). Is it a Sallyport server/)
  answer.status = 404
  await expect(call({})).rejects.toThrow(/has no CA of its own to trust/)
})

test('on the server it comes from the disk, where nobody can have changed it', async () => {
  await mkdir(join(directory, 'tls'))
  await writeFile(join(directory, 'tls/ca.pem'), CA)
  const output = join(directory, 'out.pem')
  const { out, err } = await call({ dataDir: directory, output })
  expect(out).toBe('')
  expect(await readFile(output, 'utf8')).toBe(CA)
  expect(err).toContain(`verified  read from ${join(directory, 'tls/ca.pem')}`)
  expect(err).toContain(`SSL_CERT_FILE=${output}\n`)
  await expect(call({ dataDir: join(directory, 'absent') })).rejects.toThrow(/cannot be read: ENOENT/)
  await expect(call({ dataDir: directory, output: join(directory, 'absent/out.pem') })).rejects.toThrow(
    'The CA cannot be written: ENOENT',
  )
})

describe.each([
  {
    system: 'Debian',
    program: 'update-ca-certificates',
    anchors: 'usr/local/share/ca-certificates',
    bundle: 'etc/ssl/certs/ca-certificates.crt',
    calls: ['', '--fresh'],
  },
  {
    system: 'RHEL',
    program: 'update-ca-trust',
    anchors: 'etc/pki/ca-trust/source/anchors',
    bundle: 'etc/pki/tls/certs/ca-bundle.crt',
    calls: ['extract', 'extract'],
  },
])('the list of CAs of $system', ({ program, anchors, bundle, calls }) => {
  const path = (name: string) => join(directory, 'root', name)

  /** A program that does what the system's does: all anchors into one file. */
  const provide = async (script = 'cat "$ANCHORS"/* > "$BUNDLE" 2>/dev/null; true') => {
    await mkdir(path(anchors), { recursive: true })
    await mkdir(join(path(bundle), '..'), { recursive: true })
    await mkdir(join(directory, 'bin'), { recursive: true })
    const file = join(directory, 'bin', program)
    const names = `ANCHORS=${path(anchors)}\nBUNDLE=${path(bundle)}\n`
    await writeFile(file, `#!/bin/sh\n${names}echo "$*" >> ${directory}/calls\n${script}\n`)
    await chmod(file, 0o755)
  }

  test('takes the CA, for everybody to read, and gives it back', async () => {
    await provide()
    const { err, out } = await call({ install: true, caHash: hashOf(CA) })
    expect(out).toBe('')
    const [name = ''] = await readdir(path(anchors))
    expect(name).toMatch(new RegExp(`^sallyport-${hashOf(CA).slice(7, 23)}\\.(crt|pem)$`))
    const file = join(path(anchors), name)
    expect(err).toContain(`Wrote ${file} and ran ${program}`)
    expect(err).toContain(`AWS_CA_BUNDLE=${path(bundle)}\n`)
    expect((await stat(file)).mode & 0o777).toBe(0o644)
    expect(await readFile(path(bundle), 'utf8')).toBe(CA)

    expect((await call({ uninstall: true })).err).toContain(`Removed ${file} and ran ${program}`)
    expect(await readdir(path(anchors))).toEqual([])
    expect((await readFile(join(directory, 'calls'), 'utf8')).split('\n')).toEqual([...calls, ''])
    expect((await call({ uninstall: true })).err).toBe('There is nothing to remove.\n')
  })

  test('takes nothing that nobody has vouched for', async () => {
    await provide()
    await expect(call({ install: true })).rejects.toThrow(/Nothing was installed: .* Give --ca-hash/)
    for (const answered of ['', 'no', 'y'])
      await expect(call({ install: true }, { ask: async () => answered })).rejects.toThrow(
        'Nothing was installed.',
      )
    expect(await readdir(path(anchors))).toEqual([])
    await call({ install: true }, { ask: async () => ' Yes ' })
    expect(await readdir(path(anchors))).toHaveLength(1)
  })

  test('keeps those of others, and of several of ours one has to be named', async () => {
    await provide()
    await writeFile(join(path(anchors), 'company.crt'), OTHER)
    await call({ install: true, caHash: hashOf(CA) })
    answer.body = OTHER
    await call({ install: true, caHash: hashOf(OTHER) })
    await expect(call({ uninstall: true })).rejects.toThrow(
      /Say which one with --ca-hash:\n( {2}sha256:.*\n){2}/,
    )
    await call({ uninstall: true, caHash: hashOf(OTHER) })
    expect((await readdir(path(anchors))).sort()).toEqual([
      'company.crt',
      expect.stringMatching(/^sallyport-/),
    ])
  })

  test('says so when the system did not take it', async () => {
    await provide('touch "$BUNDLE"')
    await expect(call({ install: true, caHash: hashOf(CA) })).rejects.toThrow(
      `after ${[program, calls[0]].join(' ').trim()} the CA is not in ${path(bundle)}`,
    )
    await provide('exit 3')
    await expect(call({ install: true, caHash: hashOf(CA) })).rejects.toThrow(`${program} failed (3)`)
  })
})

test('only root may change the list of CAs, and only of a system that is known', async () => {
  for (const options of [{ install: true }, { uninstall: true }]) {
    await expect(call(options, { isRoot: false })).rejects.toThrow(/needs root/)
    await expect(call(options)).rejects.toThrow(/neither update-ca-certificates .* nor update-ca-trust/)
  }
  await expect(call({ install: true, uninstall: true })).rejects.toThrow(/exclude each other/)
})
