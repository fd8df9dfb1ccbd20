import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect } from './remote-shell.ts'
import { binDirectory, type Node, type Stack, startStack } from './stack.ts'
import { run } from './terminal.ts'

// What a person reads: tables, JSON and errors of `sallyport`, and the errors of our server as the aws CLI shows them.

const sallyport = `${binDirectory}/sallyport`
/** A name that would clear the screen, set the window's title, write on a line of its own and turn the text around. */
const HOSTILE = 'a\x1b[2J\x1b]0;pwned\x07\r\nb\u202ec'

let stack: Stack
let other: Node

beforeAll(async () => {
  stack = await startStack()
  other = await stack.addNode('web-2')
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

const withEnv = (env: Record<string, string | undefined>, ...args: string[]) =>
  run(sallyport, args, { env: { ...stack.env, ...env } })

describe('nodes', () => {
  test('are listed in columns, by name', async () => {
    const { code, stdout, stderr } = await stack.sallyport('nodes')
    expect(code).toBe(0)
    expect(stderr).toBe('')
    const [head, first, second, ...rest] = stdout.split('\n')
    expect(head).toMatch(/^ID +NAME +STATUS +PLATFORM +AGENT +ADDRESS +LAST PING$/)
    expect(first).toMatch(
      new RegExp(`^${stack.node.id} +node-1 +Online +\\S.* +[\\d.]+ +[\\d.:a-f]+ +\\d+[sm]$`),
    )
    expect(second).toMatch(new RegExp(`^${other.id} +web-2 +Online `))
    expect(rest).toEqual([''])
    expect(head?.indexOf('STATUS')).toBe(first?.indexOf('Online'))
  })

  test('are listed as JSON with all there is to know', async () => {
    const nodes = JSON.parse((await stack.sallyport('nodes', '--json')).stdout)
    expect(nodes).toHaveLength(2)
    expect(nodes).toContainEqual(
      expect.objectContaining({
        InstanceId: other.id,
        Name: 'web-2',
        PingStatus: 'Online',
        IamRole: 'SSMServiceRole',
      }),
    )
  })

  test('a reason that is meant to mislead is shown as harmless text, and as it is in JSON', async () => {
    const reason = 'b\u202ec \u200bd'
    await using shell = await connect(stack, [stack.node.id, '--reason', reason])
    const table = (await stack.sallyport('sessions')).stdout
    const json = (await stack.sallyport('sessions', '--json')).stdout
    for (const shown of [table, json]) {
      expect(shown).toContain(shell.sessionId)
      expectInert(shown)
    }
    expect(JSON.parse(json)[0].Reason).toBe(reason)
  })

  test.runIf(process.getuid?.() === 0)(
    'a computer name that would drive the terminal is shown as harmless text',
    async () => {
      const rename = `printf '%s' "$0" > /proc/sys/kernel/hostname && exec "$@"`
      const through = ['unshare', '--uts', '--', '/bin/sh', '-c', rename, HOSTILE.replace('\r\n', '')]
      const stateDirectory = join(stack.directory, 'renamed')
      await stack.registerNode(stateDirectory, '')
      const { id, process: running } = await stack.startNode(stateDirectory, { through })
      const table = (await stack.sallyport('nodes')).stdout
      const json = (await stack.sallyport('nodes', '--json')).stdout
      const ambiguous = (await stack.sallyport('connect', 'mi-')).stderr
      for (const shown of [table, json, ambiguous]) expectInert(shown)
      expect(table).toMatch(new RegExp(`^${id} +a\\?\\[2J\\?\\]0;pwned\\?b\\?c +Online`, 'm'))
      expect(JSON.parse(json)).toContainEqual(
        expect.objectContaining({ InstanceId: id, ComputerName: HOSTILE.replace('\r\n', '') }),
      )
      await running.stop()
      await stack.api('deregister-managed-instance', '--instance-id', id)
    },
  )

  test('a name that nobody has is shown inert in the error', async () => {
    const { code, stderr } = await stack.sallyport('connect', HOSTILE)
    expect(code).toBe(1)
    expectInert(stderr)
    expect(stderr).toContain('There is no node "a?[2J?]0;pwned???b?c"')
  })
})

describe('errors say what was wrong and what to do', () => {
  test('an unknown name, with the nearest one', async () => {
    const { code, stdout, stderr } = await stack.sallyport('connect', 'web-3')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toBe(
      'sallyport: There is no node "web-3". Did you mean web-2? All of them: sallyport nodes\n',
    )
  })

  test('an unknown id', async () => {
    const { code, stderr } = await stack.sallyport('connect', 'mi-00000000000000000')
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^sallyport: mi-00000000000000000 is not connected: no node with this id was ever registered here\. .*\(TargetNotConnected, request [\w-]+\)\n$/,
    )
  })

  test('a name that two nodes have', async () => {
    await stack.api('add-tags-to-resource', ...tagged(stack.node.id, 'twin'))
    await stack.api('add-tags-to-resource', ...tagged(other.id, 'twin'))
    const { code, stderr } = await stack.sallyport('connect', 'twin')
    expect(code).toBe(1)
    expect(stderr).toContain('"twin" is the name of 2 nodes. Give the id of the one you mean:\n')
    expect(stderr).toContain(`  ${stack.node.id}  node-1`)
    expect(stderr).toContain(`  ${other.id}  web-2`)
  })

  test('an unknown document', async () => {
    const { code, stderr } = await stack.sallyport('connect', 'web-2', '--document-name', 'No-Such')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^sallyport: There is no document named No-Such\. \(InvalidDocument, /)
  })

  test('a node whose agent has stopped, and since when', async () => {
    const gone = await stack.addNode('gone')
    await gone.process.stop()
    await stack.server.waitForLine(new RegExp(`"nodeId":"${gone.id}".*"msg":"node offline"`))
    const message = new RegExp(
      `${gone.id} is not connected: its agent went away (a moment|\\d+ seconds?) ago\\. Is the machine up`,
    )
    const own = await stack.sallyport('connect', 'gone')
    expect(own.code).toBe(1)
    expect(own.stderr).toMatch(message)
    const stock = await stack.aws('ssm', 'start-session', '--target', gone.id)
    expect(stock.code).not.toBe(0)
    expect(stock.stderr).toMatch(/\(TargetNotConnected\) when calling the StartSession operation/)
    expect(stock.stderr).toMatch(message)
    expect((await stack.sallyport('nodes')).stdout).toMatch(
      new RegExp(`^${gone.id} +gone +ConnectionLost `, 'm'),
    )
  })

  test('a key that the server does not know, and a wrong secret', async () => {
    const unknown = await withEnv({ AWS_ACCESS_KEY_ID: 'AKIAAAAAAAAAAAAAAAAA' }, 'nodes')
    expect(unknown).toMatchObject({ code: 1, stdout: '' })
    expect(unknown.stderr).toMatch(/^sallyport: .*\(UnrecognizedClientException, request [\w-]+\)\n$/)
    const wrong = await withEnv({ AWS_SECRET_ACCESS_KEY: 'wrong' }, 'nodes')
    expect(wrong).toMatchObject({ code: 1, stdout: '' })
    expect(wrong.stderr).toMatch(/\((InvalidSignatureException|SignatureDoesNotMatch), /)
    expect(wrong.stderr).not.toContain('wrong\n')
  })

  test('no credentials at all', async () => {
    const { code, stderr } = await withEnv(
      { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined },
      'nodes',
    )
    expect(code).toBe(2)
    expect(stderr).toMatch(/credentials/i)
    expect(stderr).toContain('AWS_ACCESS_KEY_ID')
  })

  test('a server that nobody vouches for', async () => {
    const { code, stderr } = await withEnv({ AWS_CA_BUNDLE: undefined, SSL_CERT_FILE: undefined }, 'nodes')
    expect(code).toBe(255)
    expect(stderr).toMatch(new RegExp(`^sallyport: The certificate of ${stack.endpoint} is not trusted: `))
    expect(stderr).toContain('--ca-bundle <data dir>/tls/ca.pem')
    const trusting = await withEnv({ AWS_CA_BUNDLE: undefined }, 'nodes', '--ca-bundle', stack.caFile)
    expect(trusting.code).toBe(0)
  })

  test('the ports taken for each other', async () => {
    const [https, http] = [stack.endpoint, stack.httpEndpoint]
    const plain = await withEnv({ SALLYPORT_ENDPOINT_URL: https.replace('https:', 'http:') }, 'nodes')
    expect(plain).toMatchObject({ code: 255, stderr: expect.stringContaining('Try https://') })
    const secure = await withEnv({ SALLYPORT_ENDPOINT_URL: http.replace('http:', 'https:') }, 'nodes')
    expect(secure).toMatchObject({ code: 255, stderr: expect.stringContaining('Try http://') })
  })

  test('no address of a server', async () => {
    const { code, stderr } = await withEnv({ SALLYPORT_ENDPOINT_URL: undefined }, 'nodes')
    expect(code).toBe(2)
    expect(stderr).toMatch(/^sallyport: Nothing says the server's address\. Looked at:\n {2}--endpoint-url\n/)
  })

  test('a wrong command and a wrong option', async () => {
    expect(await stack.sallyport('conect')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/connect/),
    })
    expect(await stack.sallyport('nodes', '--jsno')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/Did you mean --json\?/),
    })
    expect(await stack.sallyport('connect')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/missing required argument 'node'/),
    })
  })

  // The last one: it takes the server away.
  test('a server that is down', async () => {
    await stack.server.stop()
    const { code, stdout, stderr } = await stack.sallyport('connect', 'web-2')
    expect({ code, stdout }).toEqual({ code: 255, stdout: '' })
    expect(stderr).toMatch(new RegExp(`^sallyport: Cannot reach ${stack.endpoint}: .*ECONNREFUSED.*\n$`))
  })
})

function tagged(id: string, name: string): string[] {
  return ['--resource-type', 'ManagedInstance', '--resource-id', id, '--tags', `Key=Name,Value=${name}`]
}

/** Nothing in it but printable characters and line ends. */
function expectInert(text: string): void {
  expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u200b-\u200f\u2028-\u202e\u2066-\u2069]/u)
}
