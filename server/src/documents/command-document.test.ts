import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '../store/store.ts'
import { testScope as scope, temporaryStore } from '../store/testing.ts'
import { amazonCommandDocuments } from './amazon-command-documents.ts'
import { executionTimeoutMs, resolveCommandDocument, stepNames } from './command-document.ts'
import type { CommandDocument, CommandParameter, CommandStep } from './command-schema.ts'
import { bindParameters } from './parameters.ts'
import { platformsOf } from './platforms.ts'
import { resolveSessionDocument } from './resolve.ts'

const step = (name: string, more: Partial<CommandStep> = {}): CommandStep => ({
  action: 'aws:runShellScript',
  name,
  inputs: { runCommand: ['true'] },
  ...more,
})
const document = (...mainSteps: CommandStep[]): CommandDocument => ({ schemaVersion: '2.2', mainSteps })
const amazon = (name: string): CommandDocument => {
  const found = amazonCommandDocuments[name]
  if (found === undefined) throw new Error(`there is no ${name}`)
  return found
}

describe('the parameters of a command', () => {
  const bind = (p: CommandParameter, ...values: string[]) =>
    bindParameters({ ...document(), parameters: { p } }, { p: values }).p

  test('are values of their types, though the API has lists of strings', () => {
    expect(bind({ type: 'String' }, 'a')).toBe('a')
    expect(bind({ type: 'StringList' }, 'a', 'b')).toEqual(['a', 'b'])
    expect(bind({ type: 'Boolean' }, 'True')).toBe(true)
    expect(bind({ type: 'Integer' }, '-12')).toBe(-12)
    expect(bind({ type: 'StringMap' }, '{"path":"x","n":{"m":[1]}}')).toEqual({ path: 'x', n: { m: [1] } })
    expect(bind({ type: 'MapList' }, '{"a":"b"}', '{"c":"d"}')).toEqual([{ a: 'b' }, { c: 'd' }])
    expect(bind({ type: 'MapList' }, '[{"a":"b"},{"c":"d"}]')).toEqual([{ a: 'b' }, { c: 'd' }])
  })

  test.each([
    ['Boolean', 'yes', "'p' must be true or false"],
    ['Integer', '1.5', "'p' must be a whole number"],
    ['Integer', '', "'p' must be a whole number"],
    ['Integer', '9'.repeat(30), "'p' must be a whole number"],
    ['StringMap', 'path=x', "'p' must be a JSON object"],
    ['StringMap', '["a"]', "'p' must be a JSON object"],
    ['StringMap', `{"a":${'['.repeat(9_000)}${']'.repeat(9_000)}}`, "'p' must be a JSON object"],
    ['MapList', '["a"]', "'p' must be a list of JSON objects"],
    ['MapList', 'a', "'p' must be a list of JSON objects"],
  ] as const)('are refused when they are none of type %s', (type, value, message) => {
    expect(() => bind({ type }, value)).toThrow(message)
  })

  test('keep to what the document allows, whatever their type', () => {
    expect(() => bind({ type: 'Integer', allowedValues: [1, 2] }, '3')).toThrow("'p' must be one of 1, 2")
    expect(bind({ type: 'Integer', allowedValues: [1, 2] }, '+2')).toBe(2)
    expect(() => bind({ type: 'StringMap', maxChars: 9 }, '{"a":"long"}')).toThrow("'p' takes 0 to 9 char")
    expect(() => bind({ type: 'MapList', maxItems: 1 }, '[{},{}]')).toThrow("'p' takes 0 to 1 values, not 2")
    expect(() => bind({ type: 'Boolean' }, 'true', 'false')).toThrow("'p' takes one value, not 2")
    const id: CommandParameter = { type: 'String', allowedPattern: '[a-z]+' }
    for (const value of ['a; reboot', 'a\nb', '$(x)', '{{ ssm:x }}']) {
      expect(() => bind(id, value), value).toThrow('does not match [a-z]+')
    }
  })

  test('go into the environment with everything but what ends them there', () => {
    const safe: CommandParameter = { type: 'String', interpolationType: 'ENV_VAR' }
    expect(bind(safe, '"; rm -rf / #\n$(id)')).toBe('"; rm -rf / #\n$(id)')
    expect(() => bind(safe, 'a\0b')).toThrow('which no environment can hold')
  })

  test('have the defaults of the document, of their types too', () => {
    const parameters: Record<string, CommandParameter> = {
      on: { type: 'Boolean', default: 'false' },
      n: { type: 'Integer', default: '5' },
      map: { type: 'StringMap', default: {} },
      stored: { type: 'String', default: '{{ssm:x}}', allowedPattern: '[0-9]' },
    }
    expect(bindParameters({ ...document(), parameters }, {})).toEqual({
      on: false,
      n: 5,
      map: {},
      stored: '{{ssm:x}}',
    })
    expect(() => bindParameters(amazon('AWS-RunShellScript'), {})).toThrow("'commands' has no default")
  })

  test("of AWS's own documents are what people write for AWS", () => {
    expect(bindParameters(amazon('AWS-RunShellScript'), { commands: ['df -h'] })).toEqual({
      commands: ['df -h'],
      workingDirectory: '',
      executionTimeout: '3600',
    })
    const remote = {
      sourceType: ['GitHub'],
      sourceInfo: ['{"owner":"o","repository":"r","path":"s.sh","tokenInfo":"{{ssm-secure:t}}"}'],
      commandLine: ['s.sh --quiet'],
    }
    expect(bindParameters(amazon('AWS-RunRemoteScript'), remote)).toMatchObject({
      sourceInfo: { owner: 'o', path: 's.sh' },
      executionTimeout: '3600',
    })
    for (const executionTimeout of ['0', '172801', '3600; x', '']) {
      const given = { commands: ['x'], executionTimeout: [executionTimeout] }
      expect(() => bindParameters(amazon('AWS-RunShellScript'), given), executionTimeout).toThrow(
        'executionT',
      )
    }
  })
})

describe('what is known of a document', () => {
  test('are the names by which nodes tell of its steps', () => {
    expect(stepNames(document(step('one'), step('two')))).toEqual(['one', 'two'])
    expect(stepNames(amazon('AWS-RunShellScript'))).toEqual(['aws:runShellScript'])
  })

  test('is how long its steps may take', () => {
    const seconds = (timeoutSeconds: CommandStep['timeoutSeconds']) =>
      step('a', { inputs: { runCommand: [], ...(timeoutSeconds !== undefined && { timeoutSeconds }) } })
    const ms = (...steps: CommandStep[]) => executionTimeoutMs(document(...steps), { t: '60', n: 7 })
    expect(ms(seconds(undefined))).toBe(3_600_000)
    expect(ms(seconds(10), seconds('{{ t }}'), seconds('{{n}}'), seconds('20'))).toBe(97_000)
    for (const other of ['4', 172_801, 'x', '', '{{ ssm:x }}', null, true])
      expect(ms(seconds(other))).toBe(3_600_000)
    expect(ms({ action: 'aws:downloadContent', name: 'a' })).toBe(3_600_000)
    expect(executionTimeoutMs(amazon('AWS-RunShellScript'), { executionTimeout: '90' })).toBe(90_000)
    const each = { 'aws:runShellScript': { properties: [{ timeoutSeconds: 10 }, { timeoutSeconds: 20 }] } }
    expect(executionTimeoutMs({ schemaVersion: '1.2', runtimeConfig: each }, {})).toBe(30_000)
  })

  test('is where at least one of its steps runs', () => {
    const on = (platform: string) => ({
      precondition: { StringEquals: ['platformType', platform] as [string, string] },
    })
    expect(platformsOf(document(step('a')))).toEqual(['Linux', 'MacOS'])
    expect(platformsOf(document(step('a', on('macos'))))).toEqual(['MacOS'])
    const powerShell = { action: 'aws:runPowerShellScript', ...on('Windows') }
    expect(platformsOf(document(step('a', powerShell), step('b', on('Linux'))))).toEqual(['Windows', 'Linux'])
    const byParameter = { precondition: { StringEquals: ['{{ p }}', 'Linux'] as [string, string] } }
    expect(platformsOf(document(step('a', byParameter)))).toEqual(['Linux', 'MacOS'])
    expect(platformsOf(amazon('AWS-RunShellScript'))).toEqual(['Linux', 'MacOS'])
    expect(platformsOf(amazon('AWS-RunPowerShellScript'))).toEqual(['Windows', 'Linux', 'MacOS'])
  })
})

describe('the document of a command', () => {
  let store: Store
  let dispose: () => Promise<void>
  beforeAll(async () => {
    ;({ store, dispose } = await temporaryStore())
  })
  afterAll(() => dispose())

  const resolve = (name: string, version?: string) =>
    resolveCommandDocument(store.documents, scope, name, version)
  const put = (name: string, content: string, documentFormat = 'JSON', documentType = 'Command') =>
    store.documents.put(scope, { name, documentType, documentFormat, content, hash: 'h', createdAt: 0 })

  test("is Amazon's, or one of the account by name, ARN and version", async () => {
    expect(await resolve('AWS-RunShellScript', '$LATEST')).toMatchObject({
      name: 'AWS-RunShellScript',
      version: '1',
      content: amazon('AWS-RunShellScript'),
      platforms: ['Linux', 'MacOS'],
    })
    const byArn = 'arn:aws:ssm:us-east-1::document/AWS-RunShellScript'
    expect(await resolve(byArn, '1')).toEqual(await resolve('AWS-RunShellScript'))
    const yaml = `# mine\n${JSON.stringify(document(step('one')))}`
    await put('mine', JSON.stringify(document(step('old'))))
    await put('mine', yaml, 'YAML')
    expect(stepNames((await resolve('mine')).content)).toEqual(['old'])
    expect(await resolve('arn:aws:ssm:us-east-1:123456789012:document/mine', '$LATEST')).toEqual({
      name: 'mine',
      version: '2',
      content: document(step('one')),
      hash: createHash('sha256').update(yaml).digest('hex'),
      sha1: createHash('sha1').update(yaml).digest('hex'),
      platforms: ['Linux', 'MacOS'],
    })
  })

  test('is none that is not there, or of another kind', async () => {
    await put('session', '{}', 'JSON', 'Session')
    for (const name of ['nope', 'session', 'AWS-StartSSHSession', 'constructor']) {
      await expect(resolve(name), name).rejects.toMatchObject({ code: 'InvalidDocument' })
    }
    const foreign = 'arn:aws:ssm:us-east-1:210987654321:document/mine'
    await expect(resolve(foreign)).rejects.toMatchObject({ code: 'InvalidDocument' })
    await expect(resolve('mine', '9')).rejects.toMatchObject({ code: 'InvalidDocumentVersion' })
    await expect(resolve('AWS-RunShellScript', '2')).rejects.toMatchObject({ code: 'InvalidDocumentVersion' })
    const session = resolveSessionDocument(store.documents, scope, 'AWS-RunShellScript')
    await expect(session).rejects.toMatchObject({ code: 'InvalidDocument' })
  })
})
