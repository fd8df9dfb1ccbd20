import { setImmediate as turn } from 'node:timers/promises'
import type { CommandTarget } from '@sallyport/server/commands/commands'
import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'
import { allow, commandsIn, NO_NODE, nodeArn, SHELL, tag } from './command-testing.ts'

const DOCUMENT = `arn:aws:ssm:us-east-1::document/${SHELL}`

let api: ApiForTest
let web: string
let db: string
/** What was sent, and to whom. */
let sent: Array<{ targets: readonly CommandTarget[] }> = []
const { send, user } = commandsIn(() => api)

beforeAll(async () => {
  api = await openApi()
  web = await api.node({ Tags: [tag('env', 'prod'), tag('role', 'web')] })
  db = await api.node({ Tags: [tag('env', 'prod'), tag('role', 'db')] })
  const real = api.commands.send.bind(api.commands)
  vi.spyOn(api.commands, 'send').mockImplementation((command, targets) => {
    sent.push({ targets })
    return real(command, targets)
  })
})
beforeEach(() => {
  sent = []
})
afterAll(() => api.dispose())

describe('who may', () => {
  test('the minimum of the guides is enough', async () => {
    const actions = ['ssm:SendCommand', 'ssm:ListCommandInvocations', 'ssm:GetCommandInvocation']
    const developer = await user(allow(actions))
    const answer = await send({ Targets: [{ Key: 'instanceIds', Values: [web] }] }, developer)
    expect(answer).toMatchObject({ status: 200 })
    const { CommandId } = answer.body.Command as { CommandId: string }
    expect(await api.code('ListCommandInvocations', { CommandId, Details: true }, developer)).toBe('')
    expect(await api.code('ListCommandInvocations', {}, developer)).toBe('')
    expect(await api.code('GetCommandInvocation', { CommandId, InstanceId: web }, developer)).toBe('')
    expect(await api.code('CancelCommand', { CommandId }, developer)).toBe('AccessDeniedException')
    expect(await api.code('ListCommands', {}, developer)).toBe('AccessDeniedException')
  })

  test('who may not on the document is told which', async () => {
    const bob = await user(allow('ssm:SendCommand', nodeArn('*')))
    const answer = await send({ InstanceIds: [web] }, bob)
    expect(answer.code).toBe('AccessDeniedException')
    expect(answer.message).toMatch(
      `perform: ssm:SendCommand on resource: ${DOCUMENT} because no identity-based policy allows the ssm:SendCommand action`,
    )
    expect(sent).toEqual([])
  })

  test('who may not on one of the named nodes sends to none, however they are named', async () => {
    const bob = await user(allow('ssm:SendCommand', [DOCUMENT, nodeArn(web)]))
    for (const input of [
      { InstanceIds: [web, db] },
      { Targets: [{ Key: 'InstanceIds', Values: [web, db] }] },
    ]) {
      const answer = await send(input, bob)
      expect(answer.code).toBe('AccessDeniedException')
      expect(answer.message).toContain(`on resource: ${nodeArn(db)} because`)
    }
    expect(await send({ InstanceIds: [web] }, bob)).toMatchObject({ status: 200 })
  })

  test('a node that does not exist is denied like one that does', async () => {
    const bob = await user(allow('ssm:SendCommand', DOCUMENT))
    const [there, nowhere] = await Promise.all([db, NO_NODE].map(id => send({ InstanceIds: [id] }, bob)))
    expect(nowhere?.code).toBe('AccessDeniedException')
    expect(nowhere?.message).toBe(there?.message.replaceAll(db, NO_NODE))
  })

  test('of the nodes that targets mean, those not allowed are not sent to', async () => {
    for (const key of ['ssm:resourceTag/role', 'aws:ResourceTag/role']) {
      const bob = await user(
        allow('ssm:SendCommand', DOCUMENT),
        allow('ssm:SendCommand', nodeArn('*'), { StringEquals: { [key]: 'web' } }),
      )
      expect(await send({ Targets: [{ Key: 'tag:env', Values: ['prod'] }] }, bob)).toMatchObject({
        status: 200,
      })
      const targets = sent.at(-1)?.targets.map(target => [target.nodeId, target.refused])
      expect(Object.fromEntries(targets ?? [])).toEqual({ [web]: undefined, [db]: 'AccessDenied' })
    }
  })

  test('where all of them are, that is what the answer says, without telling one', async () => {
    const bob = await user(allow('ssm:SendCommand', DOCUMENT))
    const answer = await send({ Targets: [{ Key: 'tag:env', Values: ['prod'] }] }, bob)
    expect(answer.code).toBe('AccessDeniedException')
    expect(answer.message).toContain(`ssm:SendCommand on resource: ${nodeArn('mi-*')} because`)
    expect(answer.message).not.toMatch(/mi-\w/)
    expect(sent).toEqual([])
  })

  test('conditions on the document: its tags and its type', async () => {
    const content = JSON.stringify({
      schemaVersion: '2.2',
      mainSteps: [{ action: 'aws:runShellScript', name: 'one', inputs: { runCommand: ['true'] } }],
    })
    const Tags = [tag('team', 'a')]
    await api.ok('CreateDocument', { Name: 'Ours', DocumentType: 'Command', Content: content, Tags })
    const own = { DocumentName: 'Ours', Parameters: {}, InstanceIds: [web] }
    const documents = `arn:aws:ssm:*:*:document/*`
    const rest = allow('ssm:SendCommand', nodeArn('*'))
    const tagged = await user(
      rest,
      allow('ssm:SendCommand', documents, { StringEquals: { 'aws:ResourceTag/team': 'a' } }),
    )
    const typed = await user(
      rest,
      allow('ssm:SendCommand', documents, { StringEquals: { 'ssm:DocumentType': 'Command' } }),
    )
    expect((await send(own, tagged)).code).toBeUndefined()
    expect((await send({ InstanceIds: [web] }, tagged)).code).toBe('AccessDeniedException')
    expect((await send(own, typed)).code).toBeUndefined()
    expect((await send({ InstanceIds: [web] }, typed)).code).toBeUndefined()
  })

  test('a bucket and a role need permissions of their own', async () => {
    const bob = await user(allow('ssm:SendCommand', [DOCUMENT, nodeArn('*')]))
    const bucket = await send({ InstanceIds: [web], OutputS3BucketName: 'results' }, bob)
    expect([bucket.code, bucket.message]).toEqual([
      'AccessDeniedException',
      expect.stringContaining('ssm:SendCommand on resource: arn:aws:s3:::results because'),
    ])
    const ServiceRoleArn = `arn:aws:iam::${scope.accountId}:role/SSMServiceRole`
    const role = await send({ InstanceIds: [web], ServiceRoleArn }, bob)
    expect([role.code, role.message]).toEqual([
      'AccessDeniedException',
      expect.stringContaining('iam:PassRole on resource: arn:aws:iam::'),
    ])
    expect((await send({ InstanceIds: [web], ServiceRoleArn })).code).toBeUndefined()
  })
})

test('ten thousand targets keep nobody waiting', { timeout: 60_000 }, async () => {
  const many = Array.from({ length: 10_000 }, (_, i) => `mi-${String(i).padStart(17, 'f')}`)
  await api.store.db.transaction().execute(async transaction => {
    const row = await transaction
      .selectFrom('nodes')
      .selectAll()
      .where('nodeId', '=', web)
      .executeTakeFirstOrThrow()
    for (let at = 0; at < many.length; at += 500) {
      const some = many.slice(at, at + 500)
      await transaction
        .insertInto('nodes')
        .values(some.map(nodeId => ({ ...row, nodeId })))
        .execute()
      const tagRow = { ...scope, resourceType: 'ManagedInstance', tagKey: 'fleet', tagValue: 'big' }
      await transaction
        .insertInto('tags')
        .values(some.map(resourceId => ({ ...tagRow, resourceId })))
        .execute()
    }
  })
  const bob = await user(
    allow('ssm:SendCommand', 'arn:aws:ssm:*::document/*'),
    allow('ssm:SendCommand', nodeArn('*'), { StringEquals: { 'ssm:resourceTag/fleet': 'big' } }),
  )
  vi.mocked(api.commands.send).mockImplementationOnce((_command, targets) => {
    sent.push({ targets })
    return Promise.reject(new Error('only found'))
  })
  const began = performance.now()
  let last = began
  let longest = 0
  let waiting = true
  const watch = (async () => {
    while (waiting) {
      await turn()
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }
  })()
  await send({ Targets: [{ Key: 'tag:fleet', Values: ['big'] }] }, bob)
  const took = performance.now() - began
  waiting = false
  await watch
  // Many times what it takes, and what it may: half a second, and 50 ms.
  expect(took).toBeLessThan(5000)
  expect(longest).toBeLessThan(250)
  expect(sent.at(-1)?.targets).toHaveLength(10_000)
  expect(sent.at(-1)?.targets.filter(target => target.refused)).toEqual([])
})

describe('parameters of Parameter Store that a command refers to', () => {
  const arn = (name: string) => `arn:aws:ssm:${scope.region}:${scope.accountId}:parameter/${name}`
  const commands = (...lines: string[]) => ({ InstanceIds: [web], Parameters: { commands: lines } })
  const document = (Name: string, parameters: object, runCommand: string[]) =>
    api.ok('CreateDocument', {
      Name,
      DocumentType: 'Command',
      Content: JSON.stringify({
        schemaVersion: '2.2',
        parameters,
        mainSteps: [{ action: 'aws:runShellScript', name: 'one', inputs: { runCommand } }],
      }),
    })
  let bob: Awaited<ReturnType<typeof user>>

  beforeAll(async () => {
    for (const Name of ['/app/url', '/db/url']) {
      await api.ok('PutParameter', { Name, Value: 'v', Type: 'String' })
    }
    bob = await user(allow('ssm:SendCommand'), allow('ssm:GetParameters', arn('app/*')))
    await document('Own', {}, ['echo {{ssm:/db/url}}'])
    await document('Named', { name: { type: 'String' } }, ['echo {{ssm:{{ name }}}}'])
    const halves = { a: { type: 'String', default: '{{' }, b: { type: 'String' } }
    await document('Halves', halves, ['echo {{ a }}{{b}}'])
    const map = { options: { type: 'StringMap' } }
    await document('Map', map, ['echo {{ options }}', '{{ options }}'])
  })

  test('in its own parameters the sender must be allowed to read', async () => {
    expect((await send(commands('echo {{ssm:/app/url}} {{ ssm:/app/url:1 }}'), bob)).code).toBeUndefined()
    const { code, message } = await send(commands('uptime', 'echo {{ssm:/db/url:1}}'), bob)
    expect(code).toBe('AccessDeniedException')
    expect(message).toContain(`perform: ssm:GetParameters on resource: ${arn('db/url')} because`)
  })

  test('are denied whether they exist or not', async () => {
    const [there, not] = await Promise.all(
      ['/db/url', '/db/nope'].map(name => send(commands(`echo {{ssm:${name}}}`), bob)),
    )
    expect(not?.code).toBe('AccessDeniedException')
    expect(not?.message).toBe(there?.message.replaceAll('db/url', 'db/nope'))
    expect((await send(commands('{{ssm:/app/nope}}'), bob)).code).toBe('InvalidParameters')
  })

  test('in the document are up to who wrote it', async () => {
    const own = { DocumentName: 'Own', InstanceIds: [web], Parameters: {} }
    expect((await send(own, bob)).code).toBeUndefined()
  })

  test.each([
    ['Named', { name: ['/db/url'] }, { name: ['/app/url'] }],
    ['Halves', { b: ['ssm:/db/url}}'] }, { b: ['ssm:/app/url}}'] }],
    ['Map', { options: ['{"a":"{\\u007bssm:/db/url}}"}'] }, { options: ['{"a":"{\\u007bssm:/app/url}}"}'] }],
  ])('are found also where they are made of parts (%s)', async (DocumentName, denied, allowed) => {
    const command = { DocumentName, InstanceIds: [web] }
    const { code, message } = await send({ ...command, Parameters: denied }, bob)
    expect(code).toBe('AccessDeniedException')
    expect(message).toContain(`perform: ssm:GetParameters on resource: ${arn('db/url')} because`)
    expect((await send({ ...command, Parameters: allowed }, bob)).code).toBeUndefined()
  })

  test('are not so many that deciding on them takes long', async () => {
    const lines = Array.from({ length: 101 }, (_, i) => `{{ssm:/app/${i}}}`)
    const { code, message } = await send(commands(...lines), bob)
    expect([code, message]).toEqual(['InvalidParameters', expect.stringContaining('101 parameters')])
  })
})
