import { cp, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { binDirectory, Service, type Stack, startStack } from './stack.ts'

const dist = dirname(binDirectory)
const OLD_ID = 'a'.repeat(64)

let stack: Stack
let stateDirectory: string
let nodeId: string
let agent: Service

beforeAll(async () => {
  stack = await startStack({ nodes: 0 })
  stateDirectory = join(stack.directory, 'node')
  await stack.registerNode(stateDirectory, 'web')
  nodeId = JSON.parse(await readFile(join(stateDirectory, 'registration.json'), 'utf8')).instanceId
})

afterAll(async () => {
  await agent?.stop()
  await stack?.[Symbol.asyncDispose]()
})

test('AWS-UpdateSSMAgent brings an older agent to the version of its server, and it stays there', async () => {
  const older = await installOlder()
  agent = new Service(older, ['agent', 'run', '--state-dir', stateDirectory], stack.env)
  await agent.waitForLine(/"message":"online"/)

  const updated = await run('AWS-UpdateSSMAgent')
  expect(updated).toMatchObject({ Status: 'Success', ResponseCode: 0 })
  expect(updated.StandardOutputContent).toContain('is in place of 0.0.9')

  await agent.waitForLine(/"message":"online"[\s\S]*"the agent was updated"[\s\S]*"message":"online"/)
  const chosen = async () => JSON.parse(await readFile(join(stateDirectory, 'releases/chosen.json'), 'utf8'))
  await expect.poll(chosen).toMatchObject({ state: 'good', version: '0.1.0' })
  expect((await run('AWS-UpdateSSMAgent')).StandardOutputContent).toBe(
    'The agent is up to date: version 0.1.0.\n',
  )

  await agent.stop()
  agent = new Service(older, ['agent', 'run', '--state-dir', stateDirectory], stack.env)
  await agent.waitForLine(/"message":"online"/)
  expect((await run('AWS-UpdateSSMAgent')).StandardOutputContent).toContain('up to date')
  expect(await run('AWS-RunShellScript', 'commands=["echo works"]')).toMatchObject({
    StandardOutputContent: 'works\n',
  })
})

test('a version that the server does not have is refused with what to do', async () => {
  const invocation = await run('AWS-UpdateSSMAgent', 'version=["9.9.9"]')
  expect(invocation).toMatchObject({ Status: 'Failed', ResponseCode: 1 })
  expect(invocation.StandardErrorContent).toContain(
    'The server has version 0.1.0 of the agent, not 9.9.9. Update the server first',
  )
})

/** This version once more, under another id and an older number, as on a machine where it was installed long ago. */
async function installOlder(): Promise<string> {
  const folder = join(stack.directory, 'older')
  await cp(dist, join(folder, 'dist'), { recursive: true })
  await symlink(join(dirname(dist), 'node_modules'), join(folder, 'node_modules'))
  const file = join(folder, 'dist/release.json')
  const release = JSON.parse(await readFile(file, 'utf8'))
  await writeFile(file, JSON.stringify({ ...release, ReleaseId: OLD_ID, Version: '0.0.9' }))
  return join(folder, 'dist/bin/sallyport')
}

// biome-ignore lint/suspicious/noExplicitAny: JSON of the operation
async function run(document: string, ...parameters: string[]): Promise<any> {
  const { Command } = await stack.api(
    'send-command',
    ...['--document-name', document, '--instance-ids', nodeId],
    ...(parameters.length === 0 ? [] : ['--parameters', ...parameters]),
  )
  for (;;) {
    const input = { CommandId: Command.CommandId, InstanceId: nodeId }
    const invocation = await stack.ask('GetCommandInvocation', input)
    if (!['Pending', 'InProgress', 'Delayed'].includes(invocation.Status)) return invocation
    await sleep(50)
  }
}
