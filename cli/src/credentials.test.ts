import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { parseIni } from './aws-config.ts'
import { credentialSource } from './credentials.ts'

const home = mkdtempSync(join(tmpdir(), 'sallyport-credentials-'))
const credentialsPath = join(home, '.aws', 'credentials')
const configPath = join(home, '.aws', 'config')
mkdirSync(join(home, '.aws'))
afterAll(() => rmSync(home, { recursive: true }))

const write = (credentials: string, config = '') => {
  writeFileSync(credentialsPath, credentials)
  writeFileSync(configPath, config)
}
beforeEach(() => write(''))

const find = (env: Record<string, string> = {}, profile?: string) =>
  credentialSource(profile, { HOME: home, ...env })()

describe('credentials', () => {
  const KEYS = { AWS_ACCESS_KEY_ID: 'ENV', AWS_SECRET_ACCESS_KEY: 's' }
  const FILE =
    '[default]\naws_access_key_id = FILE\naws_secret_access_key = s\n[b]\naws_access_key_id=B\naws_secret_access_key=s\n'

  test('of the environment come first', async () => {
    write(FILE)
    expect(await find(KEYS)).toEqual({ accessKeyId: 'ENV', secretAccessKey: 's' })
    expect(await find({ ...KEYS, AWS_SESSION_TOKEN: 't', AWS_PROFILE: 'b' })).toEqual({
      accessKeyId: 'ENV',
      secretAccessKey: 's',
      sessionToken: 't',
    })
  })

  test('of a profile asked for by name outrank the environment', async () => {
    write(FILE)
    expect(await find(KEYS, 'b')).toMatchObject({ accessKeyId: 'B' })
  })

  test.each([
    [{}, 'FILE'],
    [{ AWS_PROFILE: 'b' }, 'B'],
    [{ AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' }, 'FILE'],
  ])('with environment %j are those of %s', async (env, accessKeyId) => {
    write(FILE)
    expect(await find(env as Record<string, string>)).toMatchObject({ accessKeyId })
  })

  test('are also found in the config file, after the credentials file', async () => {
    const config = '[profile b]\naws_access_key_id = CONFIG\naws_secret_access_key = s\n'
    write('', config)
    expect(await find({}, 'b')).toMatchObject({ accessKeyId: 'CONFIG' })
    write(FILE, config)
    expect(await find({}, 'b')).toMatchObject({ accessKeyId: 'B' })
  })

  test('are read where AWS_SHARED_CREDENTIALS_FILE says', async () => {
    const path = join(home, 'elsewhere')
    writeFileSync(path, FILE)
    expect(await find({ AWS_SHARED_CREDENTIALS_FILE: path })).toMatchObject({ accessKeyId: 'FILE' })
  })

  test('missing everywhere are explained with every place and the profiles there are', async () => {
    write('[a]\n', '[profile b]\nregion = x\n')
    await expect(find({ AWS_PROFILE: 'nope' })).rejects.toMatchObject({
      exitCode: 2,
      message: [
        'No credentials found for profile "nope". Looked for:',
        '  AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment',
        `  [nope] in ${credentialsPath}`,
        `  [profile nope] in ${configPath}`,
        'Profiles there are: a, b.',
      ].join('\n'),
    })
  })

  test.each([
    [{ AWS_ACCESS_KEY_ID: 'x' }, '', /has AWS_ACCESS_KEY_ID but not AWS_SECRET_ACCESS_KEY/],
    [{ AWS_SECRET_ACCESS_KEY: 'x' }, '', /has AWS_SECRET_ACCESS_KEY but not AWS_ACCESS_KEY_ID/],
    [{}, '[default]\naws_access_key_id = x\n', /"default" in .*credentials has no aws_secret_access_key/],
  ])('that are half there are refused: %j %j', async (env, file, message) => {
    write(file)
    await expect(find(env as Record<string, string>)).rejects.toThrow(message)
  })

  test('by a role or SSO point to the aws CLI', async () => {
    write('', '[profile r]\nrole_arn = arn:aws:iam::1:role/x\n')
    await expect(find({}, 'r')).rejects.toThrow(
      'aws configure export-credentials --profile r --format process',
    )
  })
})

describe('credential_process', () => {
  const answer = (more: object) =>
    `printf '%s' '${JSON.stringify({ Version: 1, AccessKeyId: 'P', SecretAccessKey: 's', ...more })}'`
  const source = (command: string, now?: () => number) => {
    write('', `[default]\ncredential_process = ${command}\n`)
    return credentialSource(undefined, { HOME: home }, now)
  }

  test('gives credentials', async () => {
    expect(await source(answer({ SessionToken: 't' }))()).toEqual({
      accessKeyId: 'P',
      secretAccessKey: 's',
      sessionToken: 't',
    })
  })

  test('is asked again only shortly before its credentials expire', async () => {
    const log = join(home, 'calls')
    const start = Date.parse('2026-01-01T00:00:00Z')
    let now = start
    const ask = source(`echo >> ${log}; ${answer({ Expiration: '2026-01-01T01:00:00Z' })}`, () => now)
    const { readFileSync } = await import('node:fs')
    const callsAt = async (minutes: number) => {
      now = start + minutes * 60_000
      await Promise.all([ask(), ask()])
      return readFileSync(log, 'utf8').length
    }
    expect([await callsAt(0), await callsAt(54), await callsAt(55)]).toEqual([1, 1, 2])
  })

  test.each([
    ['echo no such user >&2; exit 3', /of profile "default" failed: no such user$/],
    ['echo secret', /printed something other than JSON/],
    ["echo '{}'", /printed no "Version": 1/],
    ['echo \'{"Version":1}\'', /printed no AccessKeyId and SecretAccessKey/],
  ])('%s: the failure is explained', async (command, message) => {
    await expect(source(command)()).rejects.toThrow(message)
  })

  test('is asked again after a failure', async () => {
    const flag = join(home, 'flag')
    const ask = source(`test -e ${flag} || { touch ${flag}; exit 1; }; ${answer({})}`)
    await expect(ask()).rejects.toThrow()
    expect(await ask()).toMatchObject({ accessKeyId: 'P' })
  })
})

test('the dialect of the shared files', () => {
  const sections = parseIni(
    '# c\nstray = 1\n[ profile  a ]\nRegion = eu-1 ; c\r\nkey=a#b=\ns3 =\n  max = 1\n\n[default]\nregion = x\n[profile a]\nca_bundle = /p q\n',
  )
  expect(sections.get('profile a')).toEqual(
    new Map<string, unknown>([
      ['region', 'eu-1'],
      ['key', 'a#b='],
      ['s3', new Map([['max', '1']])],
      ['ca_bundle', '/p q'],
    ]),
  )
  expect(sections.get('default')).toEqual(new Map([['region', 'x']]))
})
