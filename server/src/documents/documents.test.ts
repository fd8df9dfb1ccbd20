import { AwsError } from '@sallyport/protocol/aws/error'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '../store/store.ts'
import { testScope as scope, temporaryStore } from '../store/testing.ts'
import { matchesPattern } from './allowed-pattern.ts'
import { documentName } from './document-name.ts'
import { bindParameters } from './parameters.ts'
import { kmsKeyOf, sessionLimits } from './preferences.ts'
import { resolveSessionDocument } from './resolve.ts'
import { amazonSessionDocuments, defaultPreferences, type SessionDocument } from './session-documents.ts'
import { parseSessionDocument } from './validate.ts'

const MINUTE = 60_000
const shell: SessionDocument = { schemaVersion: '1.0', sessionType: 'Standard_Stream' }

/** The code of the AwsError that this throws; empty if it throws none. */
function codeOf(action: () => unknown): string {
  try {
    action()
    return ''
  } catch (error) {
    if (error instanceof AwsError) return error.code
    throw error
  }
}

describe('the content of a session document', () => {
  const parse = (document: object) => codeOf(() => parseSessionDocument(JSON.stringify(document)))
  const withInputs = (inputs: unknown) => parse({ ...shell, inputs })
  const withParameter = (parameter: unknown, name = 'p') =>
    parse({ ...shell, parameters: { [name]: parameter } })

  test("is right in all of Amazon's, and in the preferences", () => {
    for (const [name, document] of Object.entries(amazonSessionDocuments))
      expect(parse(document), name).toBe('')
    expect(parse(defaultPreferences)).toBe('')
  })

  test('may say everything that AWS documents', () => {
    const inputs = {
      ...defaultPreferences.inputs,
      idleSessionTimeout: 60,
      maxSessionDuration: '1440',
      runAsEnabled: 'true',
    }
    expect(withInputs(inputs)).toBe('')
    expect(
      withParameter({ type: 'StringList', default: ['a'], allowedValues: ['a', 'b'], description: 'd' }),
    ).toBe('')
  })

  const wrong: Array<[unknown, string]> = [
    ['{', 'InvalidDocumentContent'],
    ['[]', 'InvalidDocumentContent'],
    ['null', 'InvalidDocumentContent'],
    [{}, 'InvalidDocumentSchemaVersion'],
    [{ ...shell, schemaVersion: 1 }, 'InvalidDocumentSchemaVersion'],
    [{ ...shell, schemaVersion: '2.2' }, 'InvalidDocumentSchemaVersion'],
    [{ schemaVersion: '1.0' }, 'InvalidDocumentContent'],
    [{ ...shell, sessionType: 'constructor' }, 'InvalidDocumentContent'],
    [{ ...shell, inputs: [] }, 'InvalidDocumentContent'],
    [{ ...shell, parameters: 'x' }, 'InvalidDocumentContent'],
  ]
  test.each(wrong)('is not %j', (document, code) => {
    const text = typeof document === 'string' ? document : JSON.stringify(document)
    expect(codeOf(() => parseSessionDocument(text))).toBe(code)
  })

  const wrongInputs: object[] = [
    { idleSessionTimeout: '0' },
    { idleSessionTimeout: 61 },
    { idleSessionTimeout: '1.5' },
    { idleSessionTimeout: true },
    { idleSessionTimeout: [] },
    { idleSessionTimeout: '0x10' },
    { maxSessionDuration: '1441' },
    { maxSessionDuration: 'long' },
    { runAsEnabled: 'yes' },
    { cloudWatchStreamingEnabled: 'true' },
    { kmsKeyId: 7 },
    { s3BucketName: false },
    { shellProfile: 'ls' },
    { shellProfile: { linux: 7 } },
  ]
  test.each(wrongInputs)('has no inputs %j', inputs => {
    expect(withInputs(inputs)).toBe('InvalidDocumentContent')
  })

  const wrongParameters: unknown[] = [
    'x',
    { type: 'Integer' },
    { type: 'String', default: 5 },
    { type: 'String', default: ['a'] },
    { type: 'StringList', default: 'a' },
    { type: 'String', allowedValues: 'abc' },
    { type: 'String', allowedValues: [1] },
    { type: 'String', allowedPattern: '(' },
    { type: 'String', allowedPattern: 7 },
  ]
  test.each(wrongParameters)('has no parameter %j', parameter => {
    expect(withParameter(parameter)).toBe('InvalidDocumentContent')
  })

  test('has no parameter with a name that agents drop', () => {
    for (const name of ['a-b', '', '__proto__', 'ä']) {
      expect(
        codeOf(() =>
          parseSessionDocument(
            `{"schemaVersion":"1.0","sessionType":"Port","parameters":{"${name}":{"type":"String"}}}`,
          ),
        ),
        name,
      ).toBe('InvalidDocumentContent')
    }
  })
})

describe('parameters', () => {
  const forwarding = amazonSessionDocuments['AWS-StartPortForwardingSessionToRemoteHost'] ?? shell
  const bind = (given: Record<string, string[]>, document = forwarding) => bindParameters(document, given)

  test('become what agents expect, with defaults for what is not given', () => {
    expect(bind({ host: ['db.internal'], portNumber: ['5432'] })).toEqual({
      host: 'db.internal',
      portNumber: '5432',
      localPortNumber: '0',
    })
  })

  test('of a list stay one', () => {
    const document: SessionDocument = { ...shell, parameters: { l: { type: 'StringList', default: ['x'] } } }
    expect(bind({ l: ['a', 'b'] }, document)).toEqual({ l: ['a', 'b'] })
    expect(bind({}, document)).toEqual({ l: ['x'] })
  })

  const one = (parameter: object): SessionDocument => ({
    ...shell,
    parameters: { p: { type: 'String', ...parameter } },
  })
  const wrong: Array<[Record<string, string[]>, SessionDocument, RegExp]> = [
    [{ nope: ['x'] }, forwarding, /no parameter 'nope'\. It has portNumber, localPortNumber, host\./],
    [{ nope: ['x'] }, shell, /It has none\./],
    [{ constructor: ['x'] }, forwarding, /no parameter 'constructor'/],
    [{}, one({}), /'p' has no default and was not given/],
    [{ p: [] }, one({}), /takes one value, not 0/],
    [{ p: ['a', 'b'] }, one({}), /takes one value, not 2/],
    [{ p: ['c'] }, one({ allowedValues: ['a', 'b'] }), /must be one of a, b/],
    [{ p: ['B'] }, one({ allowedPattern: '^[a-z]$' }), /does not match \^\[a-z\]\$/],
    [{ p: ['a\n'] }, one({ allowedPattern: '^[a-z]$' }), /does not match/],
    [{ p: ['a; reboot'] }, one({ allowedPattern: '[a-z]+' }), /does not match/],
    [{ p: ['a\nreboot'] }, one({ allowedPattern: '[a-z]+|b' }), /does not match/],
    [{ p: ['a\nreboot'] }, one({ allowedPattern: '.*' }), /does not match/],
    [{ p: ['abc'] }, one({ maxChars: 2 }), /takes 0 to 2 characters, not 3/],
    [{ p: ['a'] }, one({ minChars: 2 }), /takes at least 2 characters, not 1/],
    [{ p: [] }, one({ type: 'StringList', minItems: 1 }), /takes at least 1 values, not 0/],
    [{ portNumber: ['65536'] }, forwarding, /does not match/],
    [{ portNumber: ['0'] }, forwarding, /does not match/],
    [{ portNumber: ['22; reboot'] }, forwarding, /does not match/],
    [{ host: ['a b'] }, forwarding, /does not match/],
    [{ p: ['a'.repeat(65_536)] }, one({ allowedPattern: 'a' }), /does not match/],
  ]
  test.each(wrong)('%j are refused', (given, document, message) => {
    expect(() => bind(given, document)).toThrow(message)
    expect(codeOf(() => bind(given, document))).toBe('InvalidParameters')
  })

  test('may hold line ends where nothing forbids it', () => {
    expect(bind({ p: ['a\nb'] }, one({}))).toEqual({ p: 'a\nb' })
    expect(bind({ p: ['a\nb'] }, one({ allowedPattern: '[a-z\\n]+' }))).toEqual({ p: 'a\nb' })
  })

  test('whose pattern would run for ever hold up nobody', () => {
    const started = performance.now()
    expect(() => bind({ p: [`${'a'.repeat(50)}!`] }, one({ allowedPattern: '^(a+)+$' }))).toThrow(
      /takes too long/,
    )
    expect(performance.now() - started).toBeLessThan(1000)
    expect(matchesPattern('^(a+)+$', 'aaa')).toBe(true)
    expect(matchesPattern('^b', 'aaa')).toBe(false)
  })

  test('whose patterns take long, and none too long, have a limit together', () => {
    // Found by the second half, when all ways to find the first have failed.
    const slow = { type: 'StringList', allowedPattern: '(a+)+b|a+!' } as const
    const value = `${'a'.repeat(18)}!`
    const parameters = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`p${i}`, slow]))
    const given = Object.fromEntries(Object.keys(parameters).map(name => [name, [value]]))
    expect(bind({ p0: [value] }, { ...shell, parameters: { p0: slow } })).toEqual({ p0: [value] })
    const started = performance.now()
    expect(() => bind(given, { ...shell, parameters })).toThrow(/takes too long/)
    expect(performance.now() - started).toBeLessThan(1500)
  })
})

describe('the limits of a session', () => {
  const limits = (inputs: Record<string, unknown>) => sessionLimits({ ...shell, inputs })

  test('are twenty idle minutes and no duration, unless the document says otherwise', () => {
    for (const inputs of [{}, { idleSessionTimeout: '', maxSessionDuration: null }]) {
      expect(limits(inputs)).toEqual({ idleTimeoutMs: 20 * MINUTE, maxDurationMs: null })
    }
    expect(sessionLimits(shell)).toEqual({ idleTimeoutMs: 20 * MINUTE, maxDurationMs: null })
    expect(limits({ idleSessionTimeout: '1', maxSessionDuration: 1440 })).toEqual({
      idleTimeoutMs: MINUTE,
      maxDurationMs: 1440 * MINUTE,
    })
  })

  test('include the key that a session wants to be encrypted with', () => {
    expect(kmsKeyOf({ ...shell, inputs: { kmsKeyId: 'alias/x' } })).toBe('alias/x')
    expect(kmsKeyOf({ ...shell, inputs: { kmsKeyId: '' } })).toBeUndefined()
    expect(kmsKeyOf(shell)).toBeUndefined()
  })
})

describe('the name of a document', () => {
  test.each([
    ['mine', 'mine'],
    ['AWS-StartSSHSession', 'AWS-StartSSHSession'],
    ['arn:aws:ssm:us-east-1:123456789012:document/mine', 'mine'],
    ['arn:aws:ssm:us-east-1::document/AWS-StartSSHSession', 'AWS-StartSSHSession'],
    ['arn:aws:ssm:::document/AWS-StartSSHSession', 'AWS-StartSSHSession'],
  ])('%s is found', (given, name) => {
    expect(documentName(given, scope)).toBe(name)
  })

  test.each([
    'arn:aws:ssm:us-east-1:210987654321:document/mine',
    'arn:aws:ssm:eu-west-1:123456789012:document/mine',
    'arn:aws:ssm:us-east-1::document/mine',
    'arn:aws:ssm:us-east-1:210987654321:document/AWS-StartSSHSession',
    'arn:aws:s3:us-east-1:123456789012:document/mine',
    'arn:aws:ssm:us-east-1:123456789012:document/',
    'arn:aws:ssm:us-east-1:123456789012:document/a/b',
    'arn:',
  ])('%s stands for no document of ours', given => {
    expect(documentName(given, scope)).toBeUndefined()
  })
})

describe('the document of a session', () => {
  let store: Store
  let dispose: () => Promise<void>
  beforeAll(async () => {
    ;({ store, dispose } = await temporaryStore())
  })
  afterAll(() => dispose())

  const resolve = (given?: string) => resolveSessionDocument(store.documents, scope, given)
  const put = (name: string, document: object, documentType = 'Session') =>
    store.documents.put(scope, {
      name,
      documentType,
      documentFormat: 'JSON',
      content: JSON.stringify(document),
      hash: 'h',
      createdAt: 0,
    })

  test('is that of the account, else the defaults, when none is named', async () => {
    expect(await resolve()).toMatchObject({ name: 'SSM-SessionManagerRunShell', content: defaultPreferences })
    await put('SSM-SessionManagerRunShell', shell)
    expect(await resolve()).toEqual({ name: 'SSM-SessionManagerRunShell', version: '1', content: shell })
  })

  test('is the default version of the named one', async () => {
    await put('mine', shell)
    await put('mine', { ...shell, sessionType: 'Port' })
    expect(await resolve('mine')).toMatchObject({ version: '1' })
    await store.documents.setDefault(scope, 'mine', 2)
    const byArn = await resolve('arn:aws:ssm:us-east-1:123456789012:document/mine')
    expect(byArn).toMatchObject({ name: 'mine', version: '2', content: { sessionType: 'Port' } })
  })

  test("that says nothing of preferences goes by the account's", async () => {
    const inputs = { idleSessionTimeout: '7' }
    await put('bare', shell)
    await put('own', { ...shell, inputs: {} })
    await put('SSM-SessionManagerRunShell', { ...shell, inputs })
    expect((await resolve('bare')).content).toEqual({ ...shell, inputs })
    expect((await resolve('AWS-StartSSHSession')).content).toEqual({
      ...amazonSessionDocuments['AWS-StartSSHSession'],
      inputs,
    })
    expect((await resolve('own')).content.inputs).toEqual({})
  })

  test("goes by the account's preferences with the defaults of their parameters, never its own", async () => {
    const preferences = (parameter: object) =>
      put('SSM-SessionManagerRunShell', {
        ...shell,
        inputs: {
          runAsEnabled: false,
          s3KeyPrefix: 'a/{{ command }}',
          shellProfile: { linux: '{{ command }}' },
        },
        parameters: { command: { type: 'String', ...parameter } },
      })
    await preferences({ default: '$&; ls' })
    expect((await resolve('AWS-StartInteractiveCommand')).content).toEqual({
      ...amazonSessionDocuments['AWS-StartInteractiveCommand'],
      inputs: { runAsEnabled: false, s3KeyPrefix: 'a/$&; ls', shellProfile: { linux: '$&; ls' } },
    })
    expect((await resolve()).content.inputs?.shellProfile).toEqual({ linux: '{{ command }}' })
    for (const parameter of [{}, { default: 'a {{ command }}' }]) {
      await preferences(parameter)
      await expect(resolve('AWS-StartInteractiveCommand')).rejects.toMatchObject({ code: 'InvalidDocument' })
      await expect(resolve()).resolves.toBeDefined()
    }
    await put('SSM-SessionManagerRunShell', shell)
  })

  test('is none of another account, of another type, or that is not there', async () => {
    await put('command', { schemaVersion: '2.2' }, 'Command')
    await store.documents.create(
      { ...scope, accountId: '210987654321' },
      {
        name: 'foreign',
        documentType: 'Session',
        documentFormat: 'JSON',
        content: '{}',
        hash: 'h',
        createdAt: 0,
      },
    )
    for (const name of [
      'command',
      'foreign',
      'nope',
      'constructor',
      'arn:aws:ssm:us-east-1:210987654321:document/foreign',
    ]) {
      await expect(resolve(name), name).rejects.toMatchObject({ code: 'InvalidDocument' })
    }
  })
})
