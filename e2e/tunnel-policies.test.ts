import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { REVOKED } from './at-work.ts'
import { NetworkNamespace } from './network-namespace.ts'
import { addPerson, givePolicy, iam, type Person } from './people.ts'
import { aws2, connect, openConnect, startSession } from './remote-shell.ts'
import { binDirectory, type Node, Service, type Stack, startStack } from './stack.ts'
import { dial } from './tcp-servers.ts'
import { openTerminal, run, type TestTerminal } from './terminal.ts'

// Policies of docs/policies, each attached as it is there: both gates of a tunnel are policies' to open.

const policies = join(dirname(dirname(fileURLToPath(import.meta.url))), 'docs/policies')
const sallyport = `${binDirectory}/sallyport`
const FULL_ACCESS = 'arn:aws:iam::aws:policy/AmazonSSMFullAccess'
/** Answers what it is sent, and says where it is. */
const ECHO = `for (const port of [5432, 3306]) {
  require('node:net').createServer(socket => { socket.write(port + '\\n'); socket.pipe(socket) }).listen(port, '127.0.0.1')
}`

let stack: Stack
/** The node's, in which alone db.internal is known. */
let network: NetworkNamespace
let databases: Service
let node: Node

beforeAll(async () => {
  network = await NetworkNamespace.create()
  await network.knowHosts({ 'db.internal': '127.0.0.1', 'other.internal': '127.0.0.1' })
  const names = ['--listen', '0.0.0.0:0', '--host-name', network.outside]
  stack = await startStack({ nodes: 0, serverArguments: names })
  const endpoint = `https://${network.outside}:${stack.httpsPort}`
  node = await stack.addNode('node-1', { endpoint, through: network.through })
  const [file = '', ...args] = [...network.through, process.execPath, '-e', ECHO]
  databases = new Service(file, args, {})
})

afterAll(async () => {
  await databases?.stop()
  await stack?.[Symbol.asyncDispose]()
  await network?.[Symbol.asyncDispose]()
})

/** `aws iam put-user-policy` with the file. */
async function attach(person: Person, file: string): Promise<void> {
  const names = ['--user-name', person.name, '--policy-name', file]
  const document = `file://${join(policies, `${file}.json`)}`
  await iam(stack, 'put-user-policy', ...names, '--policy-document', document)
}

const forward = (person: Person, spec: string) =>
  new Service(sallyport, ['forward', node.id, spec], { ...stack.env, ...person.env })

/** What comes first through a forward of `sallyport forward`. */
async function through(service: Service): Promise<string> {
  const output = await service.waitForLine(/^Forwarding 127\.0\.0\.1:\d+/)
  const socket = await dial({
    host: '127.0.0.1',
    port: Number(/^Forwarding 127\.0\.0\.1:(\d+)/m.exec(output)?.[1]),
  })
  const [greeting] = await once(socket, 'data')
  socket.destroy()
  return String(greeting).trim()
}

/** Nothing opens, and the person is told what was denied. */
async function expectForwardDenied(person: Person, spec: string): Promise<void> {
  const env = { ...stack.env, ...person.env }
  const { code, stderr } = await run(sallyport, ['forward', node.id, spec], { env })
  expect({ spec, code }).toEqual({ spec, code: 1 })
  expect(stderr).toContain('is not authorized to perform: ssm:StartSession on resource: ')
}

const startArguments = (document: string | undefined, parameters: object) => [
  'ssm',
  'start-session',
  '--target',
  node.id,
  ...(document === undefined
    ? []
    : ['--document-name', document, '--parameters', JSON.stringify(parameters)]),
]

async function expectStartDenied(person: Person, document?: string, parameters: object = {}): Promise<void> {
  const { code, stderr } = await person.aws(...startArguments(document, parameters))
  expect({ document, code }).toEqual({ document, code: 254 })
  expect(stderr).toContain(
    'An error occurred (AccessDeniedException) when calling the StartSession operation: User: arn:aws:iam::123456789012:user/',
  )
}

/** A forward of the aws CLI that takes connections. */
async function started(person: Person, document: string, parameters: object): Promise<TestTerminal> {
  const args = [...startArguments(document, parameters), '--endpoint-url', stack.endpoint]
  const terminal = openTerminal({ file: aws2, args, env: { ...stack.env, ...person.env } })
  await terminal.waitFor('Waiting for connections...')
  return terminal
}

const TO_NODE = 'AWS-StartPortForwardingSession'
const TO_HOST = 'AWS-StartPortForwardingSessionToRemoteHost'
const SSH = 'AWS-StartSSHSession'

describe('no-ssh.json', () => {
  let person: Person

  beforeAll(async () => {
    person = await addPerson(stack, 'no-ssh', FULL_ACCESS)
    await attach(person, 'no-ssh')
  })

  test('closes SSH, by whichever document and spelling', async () => {
    await expectStartDenied(person, SSH)
    await expectStartDenied(person, SSH, { portNumber: ['2222'] })
    await expectStartDenied(person, TO_NODE, { portNumber: ['22'] })
    await expectStartDenied(person, TO_HOST, { host: ['other.internal'], portNumber: ['22'] })
    await expectForwardDenied(person, ':22')
    await expectForwardDenied(person, ':db.internal:22')
    const proxy = await run(sallyport, ['ssh-proxy', node.id, '22'], { env: { ...stack.env, ...person.env } })
    expect(proxy.code).not.toBe(0)
    expect(proxy.stderr).toContain('with an explicit deny in an identity-based policy')
  })

  test('closes nothing else', async () => {
    await using shell = await startSession(stack, [], { env: person.env })
    expect(await shell.run('echo $((6 * 7))')).toBe('42')
    await using other = forward(person, ':3306')
    expect(await through(other)).toBe('3306')
  })
})

describe('only-one-database.json', () => {
  let person: Person

  beforeAll(async () => {
    person = await addPerson(stack, 'analyst')
    await attach(person, 'only-one-database')
  })

  test('opens db.internal:5432, through our program and through the aws CLI', async () => {
    await using service = forward(person, ':db.internal:5432')
    expect(await through(service)).toBe('5432')
    const parameters = { host: ['DB.internal'], portNumber: ['5432'] }
    await using terminal = await started(person, TO_HOST, parameters)
    await terminal.send('\x03')
    await terminal.exited
  })

  test('opens no other port, no other host, no name of the same host, and no shell', async () => {
    for (const spec of [':db.internal:3306', ':other.internal:5432', ':127.0.0.1:5432', ':5432', ':22'])
      await expectForwardDenied(person, spec)
    await expectStartDenied(person)
    await expectStartDenied(person, SSH)
    await expectStartDenied(person, 'AWS-StartInteractiveCommand', { command: ['id'] })
    await expectStartDenied(person, TO_HOST, { host: ['db.internal.evil.example'], portNumber: ['5432'] })
  })

  test('tells nobody whether a document is there, or what its parameters are', async () => {
    await expectStartDenied(person, 'Not-There')
    await expectStartDenied(person, TO_HOST, { nope: ['1'] })
  })

  test('resumes and ends what was begun, and once it is taken away, what was begun ends', async () => {
    await using service = forward(person, ':db.internal:5432')
    await through(service)
    const { Sessions } = await stack.api('describe-sessions', '--state', 'Active')
    const own = Sessions.find(({ Owner }: { Owner: string }) => Owner.endsWith('/analyst')).SessionId
    expect(await person.aws('ssm', 'resume-session', '--session-id', own)).toMatchObject({ code: 0 })
    await using other = forward(person, ':db.internal:5432')
    await through(other)
    expect(await person.aws('ssm', 'terminate-session', '--session-id', own)).toMatchObject({ code: 0 })
    await service.exitStatus
    await iam(stack, 'delete-user-policy', '--user-name', 'analyst', '--policy-name', 'only-one-database')
    await other.waitForLine(new RegExp(REVOKED.replaceAll('.', '\\.')), 5_000)
    await attach(person, 'only-one-database')
  })
})

/** Tags the node with env=… */
async function tag(value: string): Promise<void> {
  const resource = ['--resource-type', 'ManagedInstance', '--resource-id', node.id]
  await stack.api('add-tags-to-resource', ...resource, '--tags', `Key=env,Value=${value}`)
}

describe('only-dev-nodes.json', () => {
  test('opens nodes that are tagged env=dev as long as they are', async () => {
    const person = await addPerson(stack, 'developer')
    await attach(person, 'only-dev-nodes')
    await expectStartDenied(person)
    await tag('prod')
    await expectStartDenied(person)
    await expectForwardDenied(person, ':5432')
    await tag('dev')
    await using shell = await connect(stack, [], { env: person.env })
    await using service = forward(person, ':db.internal:5432')
    expect(await through(service)).toBe('5432')
    await tag('prod')
    await shell.terminal.waitFor(REVOKED, { timeoutMs: 5_000 })
    await service.waitForLine(new RegExp(REVOKED.replaceAll('.', '\\.')), 5_000)
    await using refused = openConnect(stack, [], { env: person.env })
    expect((await refused.ended()).said).toContain('is not authorized to perform: ssm:StartSession')
  })
})

describe('only-own-sessions.json', () => {
  test('keeps people out of the sessions of others, whom they may be named like', async () => {
    const people = await Promise.all(
      ['ann', 'ann-marie'].map(async name => {
        const person = await addPerson(stack, name)
        await attach(person, 'only-own-sessions')
        return person
      }),
    )
    const [ann, marie] = people
    if (ann === undefined || marie === undefined) throw new Error('two people')
    await using theirs = await connect(stack, [], { env: marie.env })
    await using own = await connect(stack, [], { env: ann.env })
    for (const operation of ['terminate-session', 'resume-session']) {
      const of = (id: string) => ann.aws('ssm', operation, '--session-id', id)
      const [there, never] = [await of(theirs.sessionId), await of('ann-marie-never-was')]
      expect(there.code).toBe(254)
      expect(there.stderr).toContain(`An error occurred (AccessDeniedException) when calling`)
      expect(there.stderr.replace(theirs.sessionId, 'ID')).toBe(
        never.stderr.replace('ann-marie-never-was', 'ID'),
      )
    }
    expect(await ann.aws('ssm', 'terminate-session', '--session-id', own.sessionId)).toMatchObject({
      code: 0,
    })
    expect((await own.ended()).said).toContain('ended by user/ann')
    expect(await theirs.run('echo untouched')).toBe('untouched')
  })
})

describe('dev-shells-and-one-database.json, by the ten minutes of docs/policies.md', () => {
  const FILE = 'dev-shells-and-one-database'
  const group = ['--group-name', 'developers']
  const membership = [...group, '--user-name', 'alice']

  test('gives a group shells on dev nodes and one database, and nothing else', async () => {
    await tag('dev')
    await iam(stack, 'create-group', ...group)
    const document = ['--policy-document', `file://${join(policies, `${FILE}.json`)}`]
    await iam(stack, 'put-group-policy', ...group, '--policy-name', 'developers', ...document)
    const alice = await addPerson(stack, 'alice')
    await iam(stack, 'add-user-to-group', ...membership)
    await using shell = await connect(stack, [], { env: alice.env })
    await using aws = await startSession(stack, [], { env: alice.env })
    expect(await aws.run('echo $((6 * 7))')).toBe('42')
    await using database = forward(alice, ':db.internal:5432')
    expect(await through(database)).toBe('5432')
    for (const spec of [':22', ':5432', ':db.internal:3306', ':other.internal:5432'])
      await expectForwardDenied(alice, spec)
    await expectStartDenied(alice, SSH)
    await expectStartDenied(alice, 'AWS-StartNonInteractiveCommand', { command: ['id'] })
    expect(await alice.aws('ssm', 'terminate-session', '--session-id', aws.sessionId)).toMatchObject({
      code: 0,
    })
    await iam(stack, 'remove-user-from-group', ...membership)
    await shell.terminal.waitFor(REVOKED, { timeoutMs: 5_000 })
    await database.waitForLine(new RegExp(REVOKED.replaceAll('.', '\\.')), 5_000)
  })

  test('needs both gates for a plain shell', async () => {
    const bob = await addPerson(stack, 'bob')
    const text = await readFile(join(policies, `${FILE}.json`), 'utf8')
    const policy = JSON.parse(text) as { Statement: Array<{ Sid: string }> }
    const Statement = policy.Statement.filter(({ Sid }) => Sid !== 'Shells')
    await givePolicy(stack, 'bob', { ...policy, Statement }, 'without-shells')
    await expectStartDenied(bob)
    await using database = forward(bob, ':db.internal:5432')
    expect(await through(database)).toBe('5432')
  })
})
