import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { concatBytes } from '@sallyport/protocol/bytes'
import { SmuxCommand, SmuxFrameReader } from '@sallyport/protocol/smux/frame'
import { frame } from '@sallyport/protocol/smux/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectEnd, HostileClient, type Parameters } from './hostile-client.ts'
import { call } from './hostile-peer.ts'
import { NameServer } from './name-server.ts'
import { NetworkNamespace } from './network-namespace.ts'
import { Service, type Stack, startStack } from './stack.ts'
import { run } from './terminal.ts'

// A node in a network where the metadata addresses of clouds really answer. Whatever a client calls them, nobody gets
// there through the node. Needs root, for the network namespace.

const REMOTE_HOST = 'AWS-StartPortForwardingSessionToRemoteHost'
const METADATA = ['169.254.169.254', '169.254.170.2', '100.100.100.200', '168.63.129.16', 'fd00:ec2::254']
const FORBIDDEN =
  /^Forwarding to IP address \S+ is forbidden\. The destination rules of the agent on the node deny/

let network: NetworkNamespace
let stack: Stack
let names: NameServer
/** A harmless host that the node reaches. */
let harmless: Server
let port: number
let metadata: Service
/** What the name that changes stands for, one after the other. */
let turns = 0

beforeAll(async () => {
  network = await NetworkNamespace.create()
  harmless = createServer(socket => socket.on('error', () => {}).pipe(socket)).listen(0, network.outside)
  await once(harmless, 'listening')
  port = (harmless.address() as AddressInfo).port
  for (const address of METADATA) {
    const prefix = address.includes(':') ? '/128' : '/32'
    await inNetwork('ip', 'address', 'add', `${address}${prefix}`, 'dev', 'lo')
  }
  const [file = '', ...through] = network.through
  metadata = new Service(file, [...through, process.execPath, '-e', SERVE_SECRETS, String(port)], {})
  await metadata.waitForLine(/^serving$/)
  names = await NameServer.listen(network.outside, {
    'metadata.test': () => ['169.254.169.254'],
    'both.test': () => ['169.254.169.254', network.outside],
    'changing.test': () => [turns++ % 2 === 0 ? network.outside : '169.254.169.254'],
  })
  await network.knowHosts({ 'listed.test': '169.254.169.254' })
  const files = join('/etc/netns', network.name)
  await mkdir(files, { recursive: true })
  await writeFile(join(files, 'resolv.conf'), `nameserver ${network.outside}\n`)
  const serverArguments = ['--listen', '0.0.0.0:0', '--host-name', network.outside]
  stack = await startStack({ nodes: 0, serverArguments })
  const endpoint = `https://${network.outside}:${stack.httpsPort}`
  await stack.addNode('in-a-cloud', { endpoint, through: network.through })
  for (const [name, content] of Object.entries(documents())) {
    const Content = JSON.stringify(content)
    const created = await call(stack, 'CreateDocument', { Name: name, DocumentType: 'Session', Content })
    expect(created.status, created.body).toBe(200)
  }
})

/** Says who came, at whichever address. */
const SERVE_SECRETS = `require('net').createServer(socket => console.log('came to ' + socket.localAddress))
  .listen(Number(process.argv[1]), '::', () => console.log('serving'))`

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
  await names?.[Symbol.asyncDispose]()
  await metadata?.stop()
  harmless?.close()
  await network?.[Symbol.asyncDispose]()
})

const inNetwork = async (...command: string[]) => {
  const [file = '', ...args] = [...network.through, ...command]
  return await run(file, args)
}

function documents(): Record<string, object> {
  const document = (more: object) => ({
    schemaVersion: '1.0',
    sessionType: 'Port',
    parameters: { host: { type: 'String' } },
    properties: { portNumber: String(port), type: 'LocalPortForwarding', host: '{{ host }}', ...more },
  })
  return {
    'Any-Host': document({}),
    'Metadata-Only': document({ allowedDestinations: ['169.254.0.0/16:*', '*.test'] }),
    'Harmless-Only': document({ allowedDestinations: [network.outside] }),
  }
}

function open(document: string, parameters: Parameters): Promise<HostileClient> {
  return HostileClient.open(stack, stack.node.id, { document, parameters })
}

const toHost = (host: string) => open(REMOTE_HOST, { host: [host], portNumber: [String(port)] })

/** Opens a stream and says hello; answers what came of it. */
async function connectOn(client: HostileClient, id: number): Promise<string> {
  client.output = []
  await client.send(concatBytes([frame(2, 'syn', id), frame(2, 'psh', id, Buffer.from('hello'))]))
  let answer = ''
  await client.until(() => {
    answer = ''
    const reader = new SmuxFrameReader(2, (command, _, data) => {
      if (command === SmuxCommand.psh || command === SmuxCommand.rst) answer += Buffer.from(data).toString()
    })
    for (const chunk of client.output) reader.push(chunk)
    return client.over || answer !== ''
  })
  return answer
}

test('the scene: the addresses answer in the node’s network, and a harmless host can be reached', async () => {
  await inNetwork('bash', '-c', `exec 3<>/dev/tcp/169.254.169.254/${port}`)
  await metadata.waitForLine(/^came to ::ffff:169\.254\.169\.254$/)
  const client = await toHost(network.outside)
  expect(await connectOn(client, 3)).toBe('hello')
  client.leave()
})

describe('a metadata address through AWS’s document', () => {
  test.each([
    ...METADATA,
    ...['2852039166', '0xA9FEA9FE', '0xa9.0xfe.0xa9.0xfe', '0251.0376.0251.0376', '025177524776'],
    ...['169.254.43518', '169.16689662', '169.254.169.254.', '0xa9.254.0124776', '00000251.0xfe.43518'],
    ...['::ffff:169.254.169.254', '::ffff:a9fe:a9fe', '0:0:0:0:0:FFFF:A9FE:A9FE', '::169.254.169.254'],
    ...['64:ff9b::a9fe:a9fe', '2002:a9fe:a9fe::', '::ffff:0:169.254.169.254', '64:ff9b:1::a9fe:a9fe'],
    ...['FD00:0EC2:0:0:0:0:0:0254', 'fd20:ce::254', 'fe80::1', '1684301000', '::ffff:100.100.100.200'],
    ...['metadata.test', 'METADATA.Test', 'metadata.test.', 'listed.test'],
  ])('is forbidden as %s', async host => {
    await expectEnd(stack, await toHost(host), FORBIDDEN)
  })

  test.each([
    ...['[::ffff:a9fe:a9fe]', '169.254.169.254%25lo', 'fe80::1%lo', '１６９.２５４.１６９.２５４'],
    ...[
      '169。254。169。254',
      ' 169.254.169.254',
      '169.254.169.254\0',
      '169.254.169.254/x',
      'x@169.254.169.254',
    ],
    ...['169.254.169.254\n', '{{ portNumber }}'],
  ])('gets no further than the API as %j', async host => {
    const Parameters = { host: [host], portNumber: [String(port)] }
    const asked = { Target: stack.node.id, DocumentName: REMOTE_HOST, Parameters }
    expect(await call(stack, 'StartSession', asked)).toMatchObject({ status: 400, code: 'InvalidParameters' })
  })

  test('is no parameter of a document that has none for a host', async () => {
    const Parameters = { portNumber: [String(port)], host: ['169.254.169.254'] }
    const asked = { Target: stack.node.id, DocumentName: 'AWS-StartPortForwardingSession', Parameters }
    expect(await call(stack, 'StartSession', asked)).toMatchObject({ status: 400, code: 'InvalidParameters' })
  })
})

describe('a metadata address through a document that takes any text', () => {
  test.each([
    ...[
      '[::ffff:a9fe:a9fe]',
      '[fd00:ec2::254]',
      'fe80::1%lo',
      '１６９.２５４.１６９.２５４',
      '169。254。169。254',
    ],
    ...['①⑥⑨.254.169.254', '169.254.169.254\u3002', 'ｍetadata.test'],
  ])('is forbidden as %j', async host => {
    await expectEnd(stack, await open('Any-Host', { host: [host] }), FORBIDDEN)
  })

  test.each([
    ...['169.254.169.254%25lo', 'x@169.254.169.254', '169.254.169.999'],
    ...['169.254.169.254/x', '169.254.169.254:80', '1.2.3.4.5', '[169.254.169.254', 'http://metadata.test'],
  ])('is nothing as %j', async host => {
    const client = await open('Any-Host', { host: [host] })
    await expectEnd(stack, client, /is no address$|is neither a host name nor an address$/)
    expect(client.handshakes).toBe(0)
  })

  test.each([' 169.254.169.254', '169.254.169.254\0', '169.254.169.254\n', '{{ host }}'])(
    'begins no session as %j, which policies could not tell from another host',
    async host => {
      await expect(open('Any-Host', { host: [host] })).rejects.toThrow('is not a host name or an address')
    },
  )

  test('is forbidden although the document allows it', async () => {
    for (const host of ['169.254.169.254', 'metadata.test', 'fd00:ec2::254'])
      await expectEnd(
        stack,
        await open('Metadata-Only', { host: [host] }),
        /^Forwarding to IP address .* forbidden/,
      )
  })
})

test('a name that also stands for a harmless address leads there only', async () => {
  const client = await toHost('both.test')
  for (let i = 0; i < 5; i++) expect(await connectOn(client, 3 + 2 * i)).toBe('hello')
  client.leave()
})

test('a name that changes is connected to where it was found to lead, or not at all', async () => {
  turns = 0
  const client = await toHost('changing.test')
  await expect.poll(() => turns).toBe(1)
  for (let i = 0; i < 10; i++) {
    const answer = await connectOn(client, 3 + 2 * i)
    if (i % 2 === 0)
      expect(answer).toMatch(/^cannot connect to changing\.test:\d+: Forwarding to .* is forbidden/)
    else expect(answer).toBe('hello')
  }
  // Once for each connection, and once before the first.
  expect(turns).toBe(11)
  client.leave()
})

test('a document that allows one host allows no other, by any name', async () => {
  const client = await open('Harmless-Only', { host: [network.outside] })
  expect(await connectOn(client, 3)).toBe('hello')
  client.leave()
  for (const host of ['localhost', network.inside, 'metadata.test', '127.1'])
    await expectEnd(
      stack,
      await open('Harmless-Only', { host: [host] }),
      /^Forwarding to IP address .* forbidden/,
    )
})

test('nobody ever came to a metadata address through the node', () => {
  // Once, to show that it can be.
  expect(metadata.output.match(/came to/g)).toHaveLength(1)
})
