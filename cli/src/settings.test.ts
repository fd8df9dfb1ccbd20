import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadSettings, type SettingsOptions } from './settings.ts'

const folder = mkdtempSync(join(tmpdir(), 'sallyport-settings-'))
afterAll(() => rmSync(folder, { recursive: true }))
const config = join(folder, 'config')
const pem = (name: string) => {
  const path = join(folder, name)
  writeFileSync(path, `-----BEGIN CERTIFICATE-----\n${name}\n`)
  return path
}

writeFileSync(
  config,
  [
    '[default]',
    'region = r-default',
    'endpoint_url = https://default',
    `ca_bundle = ${pem('profile')}`,
    '[profile s]',
    'region = r-s',
    'endpoint_url = https://s',
    'services = mine',
    '[services mine]',
    'ssm =',
    '  endpoint_url = https://services',
    '[profile empty]',
    '',
  ].join('\n'),
)

const load = (options: SettingsOptions, env: Record<string, string> = {}) =>
  loadSettings(options, { HOME: folder, AWS_CONFIG_FILE: config, ...env })

test.each([
  [{ region: 'flag' }, { AWS_REGION: 'a' }, 'flag'],
  [{}, { AWS_REGION: 'a', AWS_DEFAULT_REGION: 'b' }, 'a'],
  [{}, { AWS_REGION: '', AWS_DEFAULT_REGION: 'b' }, 'b'],
  [{}, {}, 'r-default'],
  [{}, { AWS_PROFILE: 's' }, 'r-s'],
  [{ profile: 's' }, {}, 'r-s'],
])('region by %j and %j is %s', async (options, env, region) => {
  expect((await load(options, env as Record<string, string>)).region).toBe(region)
})

const URLS = {
  SALLYPORT_ENDPOINT_URL: 'https://sallyport',
  AWS_ENDPOINT_URL_SSM: 'https://ssm',
  AWS_ENDPOINT_URL: 'https://all',
}
test.each([
  [{ endpointUrl: 'http://flag:1' }, URLS, 'http://flag:1/'],
  [{}, URLS, 'https://sallyport/'],
  [{}, { ...URLS, SALLYPORT_ENDPOINT_URL: '' }, 'https://ssm/'],
  [{}, { AWS_ENDPOINT_URL: 'https://all' }, 'https://all/'],
  [{ profile: 's' }, {}, 'https://services/'],
  [{}, {}, 'https://default/'],
])('endpoint by %j and %j is %s', async (options, env, endpoint) => {
  expect((await load(options, env as Record<string, string>)).endpoint.href).toBe(endpoint)
})

test.each([
  [{ caBundle: pem('flag') }, { AWS_CA_BUNDLE: pem('aws') }, 'flag'],
  [{}, { AWS_CA_BUNDLE: pem('aws'), SSL_CERT_FILE: pem('ssl') }, 'aws'],
  [{}, { SSL_CERT_FILE: pem('ssl') }, 'profile'],
  [{ profile: 's' }, { SSL_CERT_FILE: pem('ssl') }, 'ssl'],
  [{}, {}, 'profile'],
])('certificates by %j and %j are those of %s', async (options, env, name) => {
  expect((await load(options, env as Record<string, string>)).ca).toContain(`\n${name}\n`)
})

test('without a bundle there is no ca at all', async () => {
  expect('ca' in (await load({ profile: 's' }))).toBe(false)
})

test.each([
  [{ profile: 'empty' }, /^Nothing says a region\. Looked at:\n {2}--region\n {2}AWS_REGION\n/],
  [
    { profile: 'empty', region: 'r' },
    /^Nothing says the server's address[\s\S]*SALLYPORT_ENDPOINT_URL[\s\S]*--endpoint-url https/,
  ],
  [
    { endpointUrl: 'sallyport:8443' },
    /^--endpoint-url is "sallyport:8443": expected an address such as https/,
  ],
  [
    { caBundle: '/nowhere/ca.pem' },
    /^--ca-bundle names the certificate file \/nowhere\/ca\.pem, which cannot be read/,
  ],
  [{ caBundle: config }, /holds no PEM certificate/],
])('%j is explained', async (options, message) => {
  await expect(load(options)).rejects.toMatchObject({ exitCode: 2, message: expect.stringMatching(message) })
})
