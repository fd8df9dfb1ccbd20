import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { scene, scripts, temporaryDirectory } from '../testing-document.ts'

const outer = (inputs: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  schemaVersion: '2.2',
  ...more,
  mainSteps: [
    { action: 'aws:runDocument', name: 'outer', inputs },
    { action: 'aws:runShellScript', name: 'after', inputs: { runCommand: ['echo after'] } },
  ],
})
const greet = scripts(
  { one: 'printf "hello {{ who }}"', two: 'echo again; echo oops >&2' },
  { parameters: { who: { type: 'String', default: 'you', allowedPattern: '[a-z]+' } } },
)
const serving = (documents: Record<string, unknown>) => ({
  GetDocument: ({ Name }: { Name: string }) => ({ Name, Content: JSON.stringify(documents[Name]) }),
})

test('a document of the server runs as one step, its output as that of the step', async () => {
  const { run, calls, told, written } = scene(
    outer({ documentType: 'SSMDocument', documentPath: 'Greet:3', documentParameters: '{"who":"world"}' }),
    { server: serving({ Greet: greet }) },
  )
  const { status, steps } = await run()
  expect(status).toBe('Success')
  expect(calls).toEqual([
    { operation: 'GetDocument', input: { Name: 'Greet', DocumentVersion: '3', DocumentFormat: 'JSON' } },
  ])
  expect(told.map(step => step.name)).toEqual(['outer', 'after'])
  expect(steps[0]).toMatchObject({
    status: 'Success',
    code: 0,
    standardOutput: 'hello world\nagain\n',
    standardError: 'oops\n',
  })
  expect(written.get('outer stdout')).toBe('hello world\nagain\n')
})

test.each([
  ['arn:aws:ssm:eu-test-1:123456789012:document/Greet', undefined],
  ['arn:aws:ssm:eu-test-1:123456789012:document/Greet:$LATEST', '$LATEST'],
])('%s', async (documentPath, version) => {
  const Name = 'arn:aws:ssm:eu-test-1:123456789012:document/Greet'
  const { run, calls } = scene(outer({ documentType: 'SSMDocument', documentPath }), {
    server: serving({ [Name]: greet }),
  })
  expect((await run()).status).toBe('Success')
  expect(calls[0]?.input).toEqual({
    Name,
    DocumentFormat: 'JSON',
    ...(version && { DocumentVersion: version }),
  })
})

test('a document on the node, in YAML, below the downloads or anywhere', async () => {
  const directory = temporaryDirectory()
  mkdirSync(join(directory, 'downloads'), { mode: 0o700 })
  const yaml = [
    "schemaVersion: '2.2'",
    'parameters: { n: { type: Integer } }',
    'mainSteps:',
    '  - action: aws:runShellScript',
    '    name: one',
    '    inputs: { runCommand: ["echo n is {{ n }}"] }',
  ].join('\n')
  writeFileSync(join(directory, 'downloads', 'local.yaml'), yaml)
  const relative = { documentType: 'LocalPath', documentPath: 'local.yaml', documentParameters: { n: 5 } }
  expect((await scene(outer(relative), { directory }).run()).steps[0]?.standardOutput).toBe('n is 5\n')
  const absolute = { ...relative, documentPath: join(directory, 'downloads', 'local.yaml') }
  expect((await scene(outer(absolute)).run()).steps[0]?.standardOutput).toBe('n is 5\n')
  const away = scene(outer({ ...relative, documentPath: '../../etc/passwd' }))
  expect((await away.run()).steps[0]?.standardError).toContain('leads out')
})

test.each([
  [
    'a pipe that nobody writes to',
    (path: string) => void execFileSync('sh', ['-c', 'mkfifo "$0"', path]),
    /is not a file/,
  ],
  ['a directory', (path: string) => void mkdirSync(path), /is not a file/],
  ['nested without end', (path: string) => writeFileSync(path, '- '.repeat(500_000)), /nested too deep/],
  [
    'full of keys',
    (path: string) => writeFileSync(path, Array.from({ length: 60_000 }, (_, i) => `k${i}: 1`).join('\n')),
    /schema version undefined/,
  ],
])('a document on the node that is %s holds up nobody', async (_, make, message) => {
  const directory = temporaryDirectory()
  mkdirSync(join(directory, 'downloads'), { mode: 0o700 })
  make(join(directory, 'downloads', 'local'))
  const { steps } = await scene(outer({ documentType: 'LocalPath', documentPath: 'local' }), {
    directory,
  }).run()
  expect(steps[0]).toMatchObject({ status: 'Failed', standardError: expect.stringMatching(message) })
})

test('parameters of an inner document are checked', async () => {
  const run = async (documentParameters: unknown) =>
    (
      await scene(outer({ documentType: 'SSMDocument', documentPath: 'Greet', documentParameters }), {
        server: serving({ Greet: greet }),
      }).run()
    ).steps[0]
  expect((await run({ who: 'World; id' }))?.standardError).toContain("'who' does not match [a-z]+")
  expect(await run({ who: null })).toMatchObject({ standardOutput: 'hello you\nagain\n' })
  expect((await run('not: [an object'))?.status).toBe('Failed')
  expect((await run('text'))?.standardError).toContain('documentParameters must be an object')
})

test('a failure inside is the failure of the step; an exit inside ends the inner document only', async () => {
  const documents = {
    Fails: scripts({ one: 'exit 3', two: 'echo still' }),
    Exits: scripts({ one: 'echo bye; exit 168', two: 'echo never' }),
  }
  const run = (documentPath: string) =>
    scene(outer({ documentType: 'SSMDocument', documentPath }), { server: serving(documents) }).run()
  expect((await run('Fails')).steps).toMatchObject([
    {
      status: 'Failed',
      code: 3,
      standardOutput: 'still\n',
      standardError: 'failed to run commands: exit status 3',
    },
    { status: 'Success' },
  ])
  const exits = await run('Exits')
  expect(exits.steps).toMatchObject([
    { status: 'Success', code: 0 },
    { status: 'Success', standardOutput: 'after\n' },
  ])
  expect(exits.steps[0]?.standardOutput).toMatch(/^bye\n\nStep exited with code 168/)
})

test('documents are at most three deep', async () => {
  const Again = {
    schemaVersion: '2.2',
    mainSteps: [
      { action: 'aws:runShellScript', name: 'say', inputs: { runCommand: ['echo deeper'] } },
      {
        action: 'aws:runDocument',
        name: 'again',
        inputs: { documentType: 'SSMDocument', documentPath: 'Again' },
      },
    ],
  }
  const { run } = scene(outer({ documentType: 'SSMDocument', documentPath: 'Again' }), {
    server: serving({ Again }),
  })
  const { status, steps } = await run()
  expect(status).toBe('Failed')
  expect(steps[0]?.standardOutput).toBe('deeper\n'.repeat(3))
  expect(steps[0]?.standardError).toContain('Maximum depth permitted - 3 and current depth - 4')
})

test('a reboot inside goes on inside, and repeats nothing', async () => {
  const inner = scripts(
    {
      one: 'echo one',
      two: 'echo two; test -e {{ mark }} && exit 0; touch {{ mark }}; exit 194',
      three: 'echo three',
    },
    { parameters: { mark: { type: 'String' } } },
  )
  const directory = temporaryDirectory()
  const document = outer({
    documentType: 'SSMDocument',
    documentPath: 'Inner',
    documentParameters: { mark: join(directory, 'mark') },
  })
  const common = { directory, server: serving({ Inner: inner }), reboot: async () => {} }
  const before = scene(document, common)
  expect(await before.run()).toMatchObject({ reboot: true, steps: [] })
  const resume = JSON.parse(JSON.stringify(before.progress.at(-1)))
  const { status, steps } = await scene(document, { ...common, resume }).run()
  expect(status).toBe('Success')
  expect(steps[0]?.standardOutput).toBe('one\ntwo\ntwo\nthree\n')
})

test.each([
  [{}, 'Document Type must be specified'],
  [{ documentType: 'Other', documentPath: 'x' }, "documentType 'Other'"],
  [{ documentType: 'SSMDocument' }, 'Document Path must be provided'],
  [{ documentType: 'LocalPath', documentPath: '/no/such/file' }, 'ENOENT'],
])('%j', async (inputs, words) => {
  const { steps } = await scene(outer(inputs)).run()
  expect(steps[0]).toMatchObject({ status: 'Failed', code: 1, standardError: expect.stringContaining(words) })
})
