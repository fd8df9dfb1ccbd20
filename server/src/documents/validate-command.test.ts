import { AwsError } from '@sallyport/protocol/aws/error'
import { describe, expect, test } from 'vitest'
import { amazonCommandDocuments } from './amazon-command-documents.ts'
import { parseCommandDocument } from './validate-command.ts'

/** What is said of a document; empty if it is right. */
function complaint(document: object, code = 'InvalidDocumentContent'): string {
  try {
    parseCommandDocument(JSON.stringify(document), 'JSON')
    return ''
  } catch (error) {
    if (!(error instanceof AwsError)) throw error
    expect(error.code).toBe(code)
    return error.message.replace('The content of the document is not valid: ', '')
  }
}

const shell = { action: 'aws:runShellScript', name: 'run', inputs: { runCommand: ['true'] } }
const steps = (...mainSteps: unknown[]) => complaint({ schemaVersion: '2.2', mainSteps })
const inputs = (more: object, action = 'aws:runShellScript') =>
  steps(shell, { action, name: 'second', inputs: { ...(action === shell.action && shell.inputs), ...more } })
const plugin = (runtimeConfig: unknown, schemaVersion = '1.2') => complaint({ schemaVersion, runtimeConfig })
const parameter = (p: unknown, schemaVersion = '2.2') =>
  complaint({ schemaVersion, parameters: { p }, mainSteps: [shell] })

test("Amazon's own documents are right", () => {
  for (const [name, document] of Object.entries(amazonCommandDocuments)) {
    expect(complaint(document), name).toBe('')
  }
})

describe('the schema version', () => {
  test('decides between plugins and steps', () => {
    const runtimeConfig = { 'aws:runShellScript': { properties: [{ runCommand: ['true'] }] } }
    for (const schemaVersion of ['1.0', '1.2']) {
      expect(complaint({ schemaVersion, runtimeConfig })).toBe('')
      expect(complaint({ schemaVersion, mainSteps: [shell] })).toMatch(/^mainSteps needs schemaVersion 2\.0/)
      expect(complaint({ schemaVersion })).toMatch(/^runtimeConfig must be an object that has at least one/)
    }
    for (const schemaVersion of ['2.0', '2.0.1', '2.0.2', '2.0.3', '2.2']) {
      expect(complaint({ schemaVersion, mainSteps: [shell] })).toBe('')
      expect(complaint({ schemaVersion, runtimeConfig })).toMatch(/^runtimeConfig is of schemaVersion 1\.2/)
      expect(complaint({ schemaVersion, mainSteps: [] })).toMatch(/^mainSteps must be a list of at least/)
    }
  })

  test('is one that agents know, and a string', () => {
    const version = (schemaVersion: unknown) =>
      complaint({ schemaVersion, mainSteps: [shell] }, 'InvalidDocumentSchemaVersion')
    expect(version('0.3')).toMatch(/Automation documents, of schemaVersion 0\.3, are not supported\.$/)
    expect(version(2.2)).toMatch(/put it in quotation marks\.$/)
    for (const other of ['2.1', '3.0', '', undefined, null, ['2.2']]) {
      expect(version(other)).toMatch(/^A command document has one of the schemaVersions 1\.0, 1\.2, 2\.0/)
    }
  })

  test('1.0 with a session type is a session document', () => {
    expect(complaint({ schemaVersion: '1.0', sessionType: 'Port' })).toMatch(/--document-type Session/)
  })
})

describe('a step', () => {
  test('has an action that there is, and a name of its own', () => {
    expect(steps({ ...shell, action: 'aws:executeScript' })).toMatch(
      /^mainSteps\[0\]\.action: "aws:executeScript" is not an action .* aws:runShellScript/,
    )
    expect(steps({ ...shell, action: 'constructor' })).toMatch(/^mainSteps\[0\]\.action/)
    expect(steps(shell, { ...shell, name: 'other' }, shell)).toBe(
      'mainSteps[2].name is that of mainSteps[0], too: run.',
    )
    for (const name of [undefined, '', '..', 'a/b', 'a b', 'a\0', 'x'.repeat(129), 7, '{{ p }}']) {
      expect(steps(shell, { ...shell, name }), String(name)).toMatch(/^mainSteps\[1\]\.name must be 1 to 128/)
    }
    expect(steps('run')).toBe('mainSteps[0] must be an object.')
  })

  test('is complained of by its place', () => {
    expect(inputs({ timeoutSeconds: '4' })).toBe(
      'mainSteps[1].inputs.timeoutSeconds must be seconds from 5 to 172800, or a parameter such as "{{ executionTimeout }}", not "4".',
    )
    for (const wrong of [0, 172_801, 'soon', '1h', true, ' ', null]) {
      expect(inputs({ timeoutSeconds: wrong }), String(wrong)).toMatch(/^mainSteps\[1\]\.inputs\.timeoutS/)
    }
    for (const right of [5, '172800', 7.5, '']) expect(inputs({ timeoutSeconds: right })).toBe('')
    expect(inputs({ runCommand: [1] })).toMatch(/^mainSteps\[1\]\.inputs\.runCommand must be a list of at/)
    expect(inputs({ runCommand: [] })).toMatch(/^mainSteps\[1\]\.inputs\.runCommand/)
    expect(inputs({ workingDirectory: 1 })).toBe('mainSteps[1].inputs.workingDirectory must be a string.')
    expect(inputs({ environment: { A: 1 } })).toBe('mainSteps[1].inputs.environment.A must be a string.')
    expect(inputs({ onFailure: 'abort' })).toMatch(/^mainSteps\[1\]\.inputs\.onFailure must be exit or succ/)
    expect(inputs({ TimeoutSeconds: 5 })).toBe(
      'mainSteps[1].inputs.TimeoutSeconds must be spelled timeoutSeconds.',
    )
    expect(steps({ ...shell, inputs: 'x' })).toBe('mainSteps[0].inputs must be an object.')
    expect(steps({ ...shell, Name: 'x' })).toBe('mainSteps[0].Name must be spelled name.')
  })

  test('is the last if it is to run whatever came before', () => {
    expect(inputs({ finallyStep: true, onFailure: 'successAndExit', onSuccess: 'exit' })).toBe('')
    expect(
      steps({ ...shell, inputs: { ...shell.inputs, finallyStep: 'true' } }, { ...shell, name: 'b' }),
    ).toBe('mainSteps[0].inputs.finallyStep can be true only in the last step.')
  })

  test('of another kind is told what it needs', () => {
    const download = { sourceType: 'HTTP', sourceInfo: '{"url":"https://example.org"}' }
    expect(inputs(download, 'aws:downloadContent')).toBe('')
    expect(inputs({ ...download, sourceType: 'FTP' }, 'aws:downloadContent')).toMatch(
      /sourceType must be one/,
    )
    expect(inputs({ sourceType: 'S3' }, 'aws:downloadContent')).toMatch(/sourceInfo must be a JSON object/)
    expect(inputs({ documentType: 'SSMDocument', documentPath: 'x' }, 'aws:runDocument')).toBe('')
    expect(inputs({ documentType: 'SSMDocument' }, 'aws:runDocument')).toMatch(
      /documentPath must be a string/,
    )
    expect(inputs({ documentType: 'File' }, 'aws:runDocument')).toMatch(/documentType must be SSMDocument or/)
    expect(inputs({ action: 'Update', name: 'x' }, 'aws:configurePackage')).toMatch(/action must be Install/)
    expect(inputs({}, 'aws:refreshAssociation')).toBe('')
  })
})

describe('a plugin of schema 1.2', () => {
  const properties = { runCommand: '{{ commands }}' }

  test('is complained of by its place', () => {
    expect(
      plugin({ 'aws:runShellScript': { properties: [{ runCommand: ['a'] }, { runCommand: 7 }] } }),
    ).toMatch(/^runtimeConfig\.aws:runShellScript\.properties\[1\]\.runCommand must be/)
    expect(plugin({ 'aws:run': {} })).toMatch(/^runtimeConfig\.aws:run: "aws:run" is not an action/)
    expect(plugin({ 'aws:runShellScript': { properties: [] } })).toMatch(/properties must not be empty\.$/)
    expect(plugin({ 'aws:runShellScript': { properties } })).toMatch(
      /\{\{ commands \}\}, which is not declared/,
    )
    expect(plugin({ 'aws:cloudWatch': { settings: { startType: 'Enabled' }, properties: {} } })).toBe('')
  })
})

describe('a precondition', () => {
  const when = (precondition: unknown, schemaVersion = '2.2') =>
    complaint({
      schemaVersion,
      parameters: { p: { type: 'String' } },
      mainSteps: [{ ...shell, precondition }],
    })

  test('compares the platform or a parameter with a literal', () => {
    expect(when({ StringEquals: ['platformType', 'Linux'] })).toBe('')
    expect(when({ StringEquals: ['linux', 'platformType'] })).toBe('')
    expect(when({ StringEquals: ['{{ p }}', 'yes'] })).toBe('')
    for (const operands of [
      ['a', 'b'],
      ['platformType', '{{ p }}'],
      ['platformType', 'platformType'],
    ]) {
      expect(when({ StringEquals: operands })).toMatch(
        /^mainSteps\[0\]\.precondition\.StringEquals must comp/,
      )
    }
    for (const operands of [
      ['platformType'],
      ['platformType', 'Linux', 'MacOS'],
      'platformType',
      undefined,
    ]) {
      expect(when({ StringEquals: operands })).toMatch(/\.StringEquals must be a list of two strings/)
    }
    expect(when({ StringEquals: ['platformType', 'Plan9'] })).toMatch(/"Plan9"; platforms are Linux/)
    expect(when({ StringEquals: ['{{ q }}', 'yes'] })).toMatch(/\{\{ q \}\}, which is not declared/)
    expect(when({ StringLike: ['platformType', 'L*'] })).toMatch(/StringLike is no operator/)
    expect(when('Linux')).toBe('mainSteps[0].precondition must be an object.')
  })

  test('is not heeded before schema 2.2, and cannot keep every step from running', () => {
    expect(when({ StringEquals: ['platformType', 'Linux'] }, '2.0')).toMatch(/needs schemaVersion 2\.2/)
    expect(when({ StringEquals: ['platformType', 'Windows'] })).toMatch(/^none of its steps runs anywhere/)
  })
})

describe('a parameter', () => {
  test('has one of the types that agents know', () => {
    const defaults = {
      String: 'a',
      StringList: ['a'],
      Boolean: true,
      Integer: 7,
      StringMap: { a: 'b' },
      MapList: [{ a: 'b' }],
    }
    for (const [type, value] of Object.entries(defaults)) {
      expect(parameter({ type, default: value }), type).toBe('')
      for (const [other, wrong] of Object.entries(defaults)) {
        if (other !== type)
          expect(parameter({ type, default: wrong }), `${type} ${other}`).toMatch(
            /^parameters\.p\.default must/,
          )
      }
    }
    expect(parameter({ type: 'Number' })).toBe(
      'parameters.p.type must be one of String, StringList, Boolean, Integer, StringMap, MapList, not "Number".',
    )
    expect(parameter({ type: 'Integer', allowedValues: [1, 2] })).toBe('')
    expect(parameter({ type: 'Integer', allowedValues: ['one'] })).toMatch(
      /allowedValues must be a list of va/,
    )
    expect(parameter({ type: 'Integer', allowedValues: [1], default: 2 })).toMatch(/must be one of 1\.$/)
    expect(parameter({ type: 'String', displayType: 'textarea' })).toBe('')
    expect(parameter({ type: 'String', displayType: 'slider' })).toMatch(
      /displayType must be textfield or tex/,
    )
  })

  test('may be in the environment where agents put it there', () => {
    const safe = { type: 'String', interpolationType: 'ENV_VAR' }
    expect(parameter(safe)).toBe('')
    expect(parameter({ ...safe, interpolationType: 'env' })).toMatch(/interpolationType must be ENV_VAR or/)
    expect(parameter({ ...safe, type: 'StringMap' })).toMatch(
      /is for parameters of type String, not StringMap/,
    )
    expect(parameter(safe, '2.0')).toMatch(/^parameters\.p\.interpolationType needs schemaVersion 2\.2/)
  })

  test('may have a default from Parameter Store, which no pattern can be held against yet', () => {
    expect(parameter({ type: 'String', default: '{{ ssm:/a/b:3 }}', allowedPattern: '[0-9]+' })).toBe('')
    expect(parameter({ type: 'String', default: 'x {{ ssm:a }}', allowedPattern: '[0-9]+' })).toMatch(
      /default/,
    )
  })

  test('is declared if a step refers to it', () => {
    expect(inputs({ runCommand: ['echo {{ name }}'] })).toBe(
      'mainSteps[1].inputs.runCommand[0] refers to {{ name }}, which is not declared in parameters.',
    )
    expect(inputs({ runCommand: ['echo {{ssm:name}} {{.ID}}'] })).toBe('')
  })
})

test('a document that is nested without end is refused, not looked at until the stack is full', () => {
  const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`
  const content = `{"schemaVersion":"2.2","mainSteps":${deep}}`
  expect(() => parseCommandDocument(content, 'JSON')).toThrow('nested too deep')
})
