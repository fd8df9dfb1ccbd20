import { AwsError } from '@sallyport/protocol/aws/error'
import { describe, expect, test } from 'vitest'
import { parseSessionDocument } from './validate.ts'

/** What is said of a document; empty if it is right. */
function complaint(document: object): string {
  try {
    parseSessionDocument(JSON.stringify({ schemaVersion: '1.0', ...document }))
    return ''
  } catch (error) {
    if (!(error instanceof AwsError)) throw error
    expect(error.code).toBe('InvalidDocumentContent')
    return error.message.replace('The content of the document is not valid: ', '')
  }
}
const shell = { sessionType: 'Standard_Stream' }

describe('a document of type Port', () => {
  const port = (properties: unknown, parameters?: object) =>
    complaint({ sessionType: 'Port', properties, parameters })
  const destinations = (...allowedDestinations: unknown[]) => port({ portNumber: '1', allowedDestinations })

  test('names a port, or the parameter that does', () => {
    expect(port({ portNumber: '65535' })).toBe('')
    expect(
      port({ portNumber: '{{ p }}', host: '{{h}}' }, { p: { type: 'String' }, h: { type: 'String' } }),
    ).toBe('')
    for (const properties of [undefined, null, [], 'x']) {
      expect(port(properties)).toBe('properties of a document of type Port must be an object.')
    }
    for (const portNumber of [undefined, 80, '', '0', '65536', '080', '80 ', '{{ }}', ['80']]) {
      expect(port({ portNumber }), String(portNumber)).toMatch(
        /^properties\.portNumber must be a string, a number/,
      )
    }
    expect(port({ portNumber: '1', localPortNumber: 0 })).toBe('properties.localPortNumber must be a string.')
    expect(port({ portNumber: '1', host: ['a'] })).toBe('properties.host must be a string.')
    expect(port({ portNumber: '1', type: 'Remote' })).toMatch(/^properties\.type must be LocalPortForwarding/)
  })

  test('may say where connections may go', () => {
    const good = [
      'db.internal:5432',
      '10.0.0.0/8:*',
      '[2001:db8::1]:80',
      'fd00::/8:*',
      'fd00::1',
      '*.internal:443',
      'db.internal',
      '*',
    ]
    expect(destinations(...good)).toBe('')
    expect(destinations(), 'nothing is allowed').toBe('')
    expect(destinations(...Array(1001).fill('a:1'))).toMatch(
      /^properties\.allowedDestinations must be a list of at most 1000 strings/,
    )
    expect(destinations('a:1', 7)).toMatch(/must be a list/)
    expect(port({ portNumber: '1', allowedDestinations: '{{ d }}' }, { d: { type: 'StringList' } })).toMatch(
      /list/,
    )
    for (const wrong of [':80', 'a:b', 'a b:1', 'a:1\n', 'a:-1', 'a:0', 'a:65536', '10.0.0.0/x', '']) {
      expect(destinations('a:1', wrong), wrong).toMatch(
        /^properties\.allowedDestinations\[1\] must be a host name/,
      )
    }
    expect(destinations('{{host}}:80')).toMatch(/^properties\.allowedDestinations\[0\] cannot be a parameter/)
  })
})

describe.each(['InteractiveCommands', 'NonInteractiveCommands'])('a document of type %s', sessionType => {
  const command = (properties: unknown) => complaint({ sessionType, properties })
  const linux = (more: object) => command({ linux: { commands: 'top', ...more } })

  test('has a command for each platform', () => {
    expect(command({ linux: { commands: 'top' }, macos: { commands: 'top', runAsElevated: true } })).toBe('')
    for (const properties of [undefined, {}, [], 'top']) {
      expect(command(properties)).toMatch(/must have one of linux, windows, macos, each with its commands\.$/)
    }
    expect(command({ Linux: { commands: 'top' } })).toMatch(/^properties\.Linux: a platform is one of/)
    expect(command({ linux: 'top' })).toBe('properties.linux must be an object.')
    for (const commands of [undefined, '', '  ', ['top']]) {
      expect(command({ windows: { commands } })).toBe(
        'properties.windows.commands must be a string that is not empty.',
      )
    }
  })

  test('has what agents can read beside it', () => {
    expect(linux({ runAsElevated: 'true' })).toMatch(
      /^properties\.linux\.runAsElevated must be true or false/,
    )
    expect(linux({ separateOutputStream: 'yes' })).toMatch(/^properties\.linux\.separateOutputStream/)
    expect(linux({ separateOutputStream: 'true', stdOutSeparatorPrefix: 'OUT:\n' })).toBe('')
    expect(linux({ stdErrSeparatorPrefix: 'x'.repeat(31) })).toMatch(
      /^properties\.linux\.stdErrSeparatorPrefix/,
    )
    expect(linux({ stdErrSeparatorPrefix: '\x1b[31m' })).toMatch(/^properties\.linux\.stdErrSeparatorPrefix/)
  })
})

describe('what a document refers to', () => {
  const parameters = { path: { type: 'String' } }

  test('is declared', () => {
    const profile = (linux: string) =>
      complaint({ ...shell, parameters, inputs: { shellProfile: { linux } } })
    expect(profile('cd {{ path }} && cd {{path}}')).toBe('')
    expect(profile('cd {{ paht }}')).toBe(
      'inputs.shellProfile.linux refers to {{ paht }}, which is not declared in parameters.',
    )
    const properties = { linux: { commands: 'cat {{ path }}' }, macos: { commands: 'cat {{ file }}' } }
    expect(complaint({ sessionType: 'InteractiveCommands', parameters, properties })).toBe(
      'properties.macos.commands refers to {{ file }}, which is not declared in parameters.',
    )
    expect(complaint({ ...shell, properties: { a: ['{{ constructor }}'] } })).toMatch(
      /^properties\.a\[0\] refers/,
    )
  })

  test('is not what other programs write in braces', () => {
    const commands = "docker ps --format '{{.ID}} {{ .Names }}' # {{ssm:motd}} {{ a-b }} {{}}"
    expect(complaint({ sessionType: 'InteractiveCommands', properties: { linux: { commands } } })).toBe('')
  })

  test('never decides whom the session runs as', () => {
    const inputs = { runAsEnabled: true, runAsDefaultUser: '{{ path }}' }
    expect(complaint({ ...shell, parameters, inputs })).toMatch(
      /^inputs\.runAsDefaultUser cannot be a parameter/,
    )
  })
})

describe('a parameter', () => {
  const parameter = (p: unknown) => complaint({ ...shell, parameters: { p } })

  test('is complained of by its place', () => {
    expect(parameter('x')).toBe('parameters.p must be an object.')
    expect(parameter({ type: 'Boolean' })).toBe(
      'parameters.p.type must be String or StringList, not "Boolean".',
    )
    expect(parameter({ type: 'String', allowedPattern: '[' })).toMatch(
      /^parameters\.p\.allowedPattern is not a regular expression: .*Unterminated/,
    )
    expect(parameter({ type: 'String', allowedValues: 'a' })).toBe(
      'parameters.p.allowedValues must be a list of strings.',
    )
    expect(parameter({ type: 'String', maxChars: '5' })).toBe('parameters.p.maxChars must be a whole number.')
    expect(parameter({ type: 'StringList', default: 'a' })).toBe(
      'parameters.p.default must be a list of strings.',
    )
  })

  test('allows its own default', () => {
    const pattern = { type: 'String', allowedPattern: '(^$)|^[0-9a-f]{8}$' }
    expect(parameter({ ...pattern, default: '' })).toBe('')
    expect(parameter({ ...pattern, default: 'x' })).toMatch(
      /^parameters\.p\.default is not allowed by the parameter/,
    )
    expect(parameter({ type: 'String', allowedValues: ['a'], default: 'b' })).toMatch(/must be one of a\.$/)
    expect(parameter({ type: 'StringList', allowedValues: ['a'], default: ['a', 'b'] })).toMatch(
      /one of a\.$/,
    )
    expect(parameter({ type: 'StringList', minItems: 2, default: ['a'] })).toMatch(/takes at least 2 values/)
    expect(parameter({ type: 'String', maxChars: 3, default: 'long' })).toMatch(/takes 0 to 3 characters/)
  })
})

test('a key that only agents would understand is refused, since nobody would check it', () => {
  const portNumber = '1'
  for (const [document, text] of [
    [{ ...shell, Inputs: {} }, 'Inputs must be spelled inputs.'],
    [{ ...shell, inputs: { RunAsEnabled: true } }, 'inputs.RunAsEnabled must be spelled runAsEnabled.'],
    [
      { sessionType: 'Port', properties: { portNumber, AllowedDestinations: [] } },
      'properties.AllowedDestinations must be spelled allowedDestinations.',
    ],
    [
      { sessionType: 'InteractiveCommands', properties: { linux: { commands: 'a', RunAsElevated: true } } },
      'properties.linux.RunAsElevated must be spelled runAsElevated.',
    ],
    [
      { ...shell, parameters: { p: { type: 'String', allowedpattern: 'a' } } },
      'parameters.p.allowedpattern must be spelled allowedPattern.',
    ],
  ] as const) {
    expect(complaint(document)).toBe(text)
  }
  expect(complaint({ ...shell, inputs: { somethingElse: 1 } })).toBe('')
})
