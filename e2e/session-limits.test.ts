import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSession, startSession } from './remote-shell.ts'
import { type Stack, startStack } from './stack.ts'

let stack: Stack

beforeAll(async () => {
  stack = await startStack({ serverEnv: { SALLYPORT_MAX_SESSIONS_PER_NODE: '2' } })
})
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

test('a node with as many sessions as it may have takes another when one has ended', async () => {
  await using first = await startSession(stack)
  await using second = await startSession(stack)
  const started = performance.now()
  await using third = openSession(stack)
  const { said, status } = await third.ended()
  expect(said).toContain(
    'An error occurred (ServiceQuotaExceededException) when calling the StartSession operation',
  )
  expect(said).toContain(`${stack.node.id} has 2 sessions already, which is the most at a time.`)
  expect(status).not.toBe(0)
  expect(said, 'and the aws CLI does not try again').not.toContain('reached max retries')
  expect(performance.now() - started).toBeLessThan(20_000)
  expect(await first.run('echo undisturbed')).toBe('undisturbed')

  await stack.api('terminate-session', '--session-id', second.sessionId)
  await second.ended()
  await using another = await startSession(stack)
  expect(await another.run('echo welcome')).toBe('welcome')
})

test('a document that no agent could run is refused with the place of the mistake', async () => {
  const content = {
    schemaVersion: '1.0',
    sessionType: 'InteractiveCommands',
    parameters: { path: { type: 'String' } },
    properties: { linux: { commands: 'tail -f {{ file }}', runAsElevated: false } },
  }
  const name = ['--name', 'Follow', '--document-type', 'Session', '--content', JSON.stringify(content)]
  const { code, stderr } = await stack.aws('ssm', 'create-document', ...name)
  expect(code).not.toBe(0)
  expect(stderr).toContain('(InvalidDocumentContent)')
  expect(stderr).toContain(
    'properties.linux.commands refers to {{ file }}, which is not declared in parameters.',
  )
})
