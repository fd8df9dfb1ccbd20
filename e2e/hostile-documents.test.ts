import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOn, STEP, script } from './commands-scene.ts'
import { call } from './hostile-peer.ts'
import { type Stack, startStack } from './stack.ts'

// Authors of documents, and people who give parameters to them, who want more than is theirs.

const SECRET = 'correct-horse-battery-staple'

let stack: Stack
const { ask, sendTo, author, invocation, ended } = commandsOn(() => stack)

beforeAll(async () => {
  stack = await startStack()
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

/** Everything below a directory. */
function everythingIn(directory: string): Buffer {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
  return Buffer.concat(
    files.filter(file => file.isFile()).map(file => readFileSync(join(file.parentPath, file.name))),
  )
}

describe('the author of a document', () => {
  test('does not end the server with a file that is deep, or full of references', async () => {
    for (const Content of [
      `a: ${'['.repeat(60_000)}`,
      '- '.repeat(32_000),
      `a: ${'{a: '.repeat(13_000)}`,
      '? '.repeat(32_000),
      `${'x'.repeat(10)}: &a [${'[], '.repeat(10_000)}]\nb: [${'*a, '.repeat(5_000)}]`,
      `a: &a [x, x, x, x, x, x, x, x, x]\n${[...'bcdefghi'].map((c, i) => `${c}: &${c} [${`*${'abcdefgh'[i]}, `.repeat(9)}]`).join('\n')}`,
    ]) {
      const input = { Name: 'Bomb', DocumentType: 'Command', DocumentFormat: 'YAML', Content }
      expect(await call(stack, 'CreateDocument', input)).toMatchObject({
        status: 400,
        code: expect.stringMatching(/InvalidDocumentContent|MaxDocumentSizeExceeded/),
      })
    }
    expect(await ask('DescribeInstanceInformation', {})).toBeDefined()
  })

  test('reaches no metadata, no helper of git, and nothing outside of the directory of the command', async () => {
    const redirects = createServer((_, response) => {
      response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end()
    }).listen(0, '127.0.0.1')
    await once(redirects, 'listening')
    const local = `http://127.0.0.1:${(redirects.address() as AddressInfo).port}/x`
    const mark = join(stack.directory, 'escaped')
    const download = (sourceType: string, sourceInfo: object, destinationPath = 'x') => ({
      action: 'aws:downloadContent',
      inputs: { sourceType, sourceInfo: JSON.stringify(sourceInfo), destinationPath },
    })
    const http = (url: string) => download('HTTP', { url, allowInsecureDownload: true })
    const refused: Array<[object, RegExp]> = [
      ...['169.254.169.254', '[::ffff:169.254.169.254]', '0xa9fea9fe', '2852039166', '169.254.43518'].map(
        (host): [object, RegExp] => [http(`http://${host}/latest/meta-data/`), /node's own platform/],
      ),
      [http(local), /node's own platform/],
      [http('file:///etc/passwd'), /begins with file:/],
      [download('Git', { repository: `ext::touch ${mark}` }), /could not be downloaded/],
      [download('Git', { repository: `--upload-pack=touch ${mark}` }), /could not be downloaded/],
      [download('Git', { repository: stack.directory, getOptions: `branch:--x=${mark}` }), /is no branch/],
      [download('SSMDocument', { name: 'AWS-RunShellScript' }, '../../../../x'), /leads out of/],
      [
        { action: 'aws:runDocument', inputs: { documentType: 'LocalPath', documentPath: '../../job.json' } },
        /leads out of/,
      ],
      [{ action: STEP, inputs: { workingDirectory: '../..', runCommand: ['pwd'] } }, /leads out of/],
    ]
    const steps = refused.map(([step], i) => ({ name: `step${i}`, ...step }))
    try {
      const commandId = await sendTo(stack.node.id, [], {
        DocumentName: await author('Escapes', steps),
        Parameters: {},
      })
      const plugins = await ended(commandId)
      expect(plugins.map(({ Status }) => Status)).toEqual(steps.map(() => 'Failed'))
      for (const [i, [, message]] of refused.entries()) {
        expect(plugins[i]?.Output, JSON.stringify(steps[i])).toMatch(message)
      }
    } finally {
      redirects.close()
    }
    expect(existsSync(mark)).toBe(false)
  })

  test('leaves links where later steps write, and nothing is written through them', async () => {
    const target = join(stack.directory, 'target')
    const planted = [
      `mkdir -p ${target}`,
      'cd "$(dirname "$0")/.."',
      `ln -s ${target} second; mkdir third; ln -s ${target}/out third/stdout; ln -s ${target} downloads`,
    ]
    const document = await author('Links', [
      script('first', ...planted),
      script('second', 'echo second'),
      script('third', 'echo third'),
      {
        action: 'aws:downloadContent',
        name: 'fourth',
        inputs: { sourceType: 'SSMDocument', sourceInfo: '{"name":"AWS-RunShellScript"}' },
      },
    ])
    const plugins = await ended(await sendTo(stack.node.id, [], { DocumentName: document, Parameters: {} }))
    expect(plugins.map(({ Status }) => Status)).toEqual(['Success', 'Failed', 'Failed', 'Failed'])
    expect(readdirSync(target)).toEqual([])
  })
})

describe('who gives parameters', () => {
  test('has them arrive as they are where the document keeps them from the script', async () => {
    const parameters = { text: { type: 'String', interpolationType: 'ENV_VAR' } }
    const document = await author('Say', [script('say', 'printf %s "{{ text }}"')], parameters)
    const mark = join(stack.directory, 'ran')
    for (const text of [
      `"; touch ${mark}; echo "`,
      `$(touch ${mark})\`touch ${mark}\`\n touch ${mark}`,
      '{{ text }}{{text}}$$ $1 $& ${SSM_text} \\n %s %n',
      `'\u202e\x1b[2J\r\n\t${'é'.repeat(3_000)}`,
    ]) {
      const more = { DocumentName: document, Parameters: { text: [text] } }
      const commandId = await sendTo(stack.node.id, [], more)
      await ended(commandId)
      const said = await invocation(commandId, stack.node.id)
      expect(said).toMatchObject({ Status: 'Success', StandardOutputContent: text })
    }
    expect(existsSync(mark)).toBe(false)
    for (const [given, code] of [
      [{ text: ['a\0b'] }, 'InvalidParameters'],
      [{ text: ['a', 'b'] }, 'InvalidParameters'],
      [{ text: ['x'.repeat(900_000)] }, 'InvalidParameters'],
      [{ constructor: ['x'] }, 'InvalidParameters'],
      [JSON.parse('{"text":["x"],"__proto__":["x"]}'), 'InvalidParameters'],
    ]) {
      const input = { InstanceIds: [stack.node.id], DocumentName: document, Parameters: given }
      expect(await call(stack, 'SendCommand', input), JSON.stringify(given).slice(0, 60)).toMatchObject({
        code,
      })
    }
  })

  test('does not hold up others with a list of values for a pattern', async () => {
    const parameters = { list: { type: 'StringList', allowedPattern: '(a+)+b|[a-z]*!?' } }
    const document = await author('List', [script('say', 'echo')], parameters)
    const started = performance.now()
    for (const list of [Array(1_000).fill(`${'a'.repeat(20)}c`), Array(100_000).fill('abc')]) {
      const input = { InstanceIds: [stack.node.id], DocumentName: document, Parameters: { list } }
      const sending = call(stack, 'SendCommand', input)
      await ask('ListCommands', {})
      expect(await sending).toMatchObject({ status: 400 })
    }
    expect(performance.now() - started).toBeLessThan(4_000)
  })

  test('gets no secret into a command, its records or a log', async () => {
    await ask('PutParameter', { Name: '/db/password', Type: 'SecureString', Value: SECRET })
    const asked: string[] = []
    const files = createServer((request, response) => {
      asked.push(String(request.headers.authorization))
      response.end('content')
    }).listen(0, '127.0.0.1')
    await once(files, 'listening')
    try {
      const inText = { InstanceIds: [stack.node.id], DocumentName: 'AWS-RunShellScript' }
      for (const text of ['{{ssm:/db/password}}', '{{ ssm:/db/password:1 }}', 'echo {{ssm:/db/password}}x']) {
        const answer = await call(stack, 'SendCommand', { ...inText, Parameters: { commands: [text] } })
        expect(answer).toMatchObject({ code: 'InvalidParameters' })
      }
      const sourceInfo = JSON.stringify({
        url: `http://127.0.0.1:${(files.address() as AddressInfo).port}/file`,
        allowInsecureDownload: true,
        authMethod: 'Basic',
        userName: 'me',
        password: '{{ssm-secure:/db/password}}',
      })
      const inputs = { sourceType: 'HTTP', sourceInfo, destinationPath: 'file' }
      const document = await author('Fetch', [
        { action: 'aws:downloadContent', name: 'get', inputs },
        script('look', 'echo "{{ssm-secure:/db/password}}"; env; ps axww'),
      ])
      const plugins = await ended(await sendTo(stack.node.id, [], { DocumentName: document, Parameters: {} }))
      expect(plugins.map(({ Status }) => Status)).toEqual(['Success', 'Success'])
      expect(asked).toEqual([`Basic ${Buffer.from(`me:${SECRET}`).toString('base64')}`])
      expect(JSON.stringify(plugins)).not.toContain(SECRET)
    } finally {
      files.close()
    }
    for (const directory of [stack.dataDirectory, stack.node.stateDirectory]) {
      const all = everythingIn(directory)
      expect(all.includes(SECRET)).toBe(false)
      expect(all.includes(Buffer.from(`me:${SECRET}`).toString('base64'))).toBe(false)
    }
    expect(stack.server.output + stack.node.process.output).not.toContain(SECRET)
  })
})
