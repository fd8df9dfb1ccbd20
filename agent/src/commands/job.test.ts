import { existsSync, readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { MessageType } from '@sallyport/protocol/message-types'
import { CANCEL_TOPIC, JobAckCode, jobIdOf, SEND_TOPIC } from '@sallyport/protocol/run-command'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readJob, stepNames } from './job.ts'
import { frameOf, NODE, openNode } from './testing-node.ts'

const ID = '55b78ece-7a7f-4198-aaf4-d8c8a3e960e6'
const content = (changes: object = {}) =>
  JSON.stringify({ CommandId: ID, DocumentName: 'Test', DocumentContent: { mainSteps: [] }, ...changes })

const HOSTILE_IDS = [
  '..',
  '.',
  '',
  '/etc',
  '../../../../tmp/x',
  '..%2f..%2fetc',
  'C:\\windows',
  'CON',
  `${ID}/../x`,
  `${ID}\0`,
  `${ID}\n`,
  ID.toUpperCase(),
  `${ID} `,
  '55b78ece7a7f4198aaf4d8c8a3e960e6',
  '__proto__',
  'x'.repeat(10_000),
]

test('a command id is a uuid in lower case, whatever else the server sends', () => {
  for (const id of HOSTILE_IDS) {
    const jobId = jobIdOf(id, NODE)
    expect(readJob({ jobId, topic: SEND_TOPIC, content: content({ CommandId: id }) }, NODE)).toMatchObject({
      kind: 'unreadable',
      commandId: undefined,
    })
    const cancel = JSON.stringify({ CancelMessageId: jobId })
    expect(readJob({ jobId: 'x', topic: CANCEL_TOPIC, content: cancel }, NODE).kind).toBe('unreadable')
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), id => {
      const job = readJob({ jobId: jobIdOf(id, NODE), topic: SEND_TOPIC, content: content() }, NODE)
      expect(job).toMatchObject({ kind: 'unreadable', commandId: undefined })
    }),
  )
})

test('a job for another node, with another command inside, or with what is no document is not run', () => {
  const read = (changes: object, jobId = jobIdOf(ID, NODE), topic = SEND_TOPIC) =>
    readJob({ jobId, topic, content: content(changes) }, NODE)
  expect(read({})).toEqual({ kind: 'run', commandId: ID })
  expect(read({}, jobIdOf(ID, 'mi-00000000000000000'))).toMatchObject({
    why: expect.stringContaining('this is mi-'),
  })
  expect(read({ CommandId: ID.replace('5', '6') }).kind).toBe('unreadable')
  expect(read({ DocumentContent: 'mainSteps' }).kind).toBe('unreadable')
  expect(read({ DocumentContent: [] }).kind).toBe('unreadable')
  expect(read({ Parameters: [] }).kind).toBe('unreadable')
  expect(read({}, jobIdOf(ID, NODE), 'aws.ssm.other')).toMatchObject({
    kind: 'unreadable',
    commandId: undefined,
  })
  expect(readJob({ jobId: jobIdOf(ID, NODE), topic: SEND_TOPIC, content: '{' }, NODE)).toMatchObject({
    kind: 'unreadable',
    commandId: ID,
  })
})

test('what cannot be read is refused and answered Failed, and leaves nothing outside', async () => {
  const node = openNode()
  const agent = await node.live().start()
  for (const id of HOSTILE_IDS) {
    const jobId = jobIdOf(id, NODE)
    agent.send({ jobId, topic: SEND_TOPIC, content: content({ CommandId: id }) })
    expect(await agent.code(jobId.slice(0, 200))).toBe(JobAckCode.unparsable)
    if (jobId.length <= 200) expect(agent.replies.at(-1)).toMatchObject({ jobId, status: 'Failed' })
  }
  expect(readdirSync(node.directory)).toEqual([])
  expect(readdirSync(dirname(node.directory))).toEqual(['commands'])
  agent.commands.receive(frameOf(MessageType.agentJob, new TextEncoder().encode('no json')))
  expect(await agent.code('')).toBe(JobAckCode.unparsable)
})

test('a command whose content cannot be read has failed, and that reply is kept until it is acknowledged', async () => {
  const node = openNode()
  const agent = await node.live().start()
  agent.send({
    jobId: jobIdOf(ID, NODE),
    topic: SEND_TOPIC,
    content: content({ CloudWatchOutputEnabled: true }),
  })
  expect(await agent.code(jobIdOf(ID, NODE))).toBe(JobAckCode.unparsable)
  expect((await agent.result(ID)).trace).toContain('CloudWatchOutputEnabled')
  const next = await node.live().start()
  expect((await next.result(ID)).status).toBe('Failed')
  expect(existsSync(`${node.directory}/${ID}/run`)).toBe(false)
  expect(next.runs).toEqual([])
})

test('steps are named as results name them', () => {
  expect(stepNames({ mainSteps: [{ name: 'a' }, { name: 'b' }] })).toEqual(['a', 'b'])
  expect(stepNames({ runtimeConfig: { 'aws:runShellScript': {} } })).toEqual(['aws:runShellScript'])
  expect([stepNames(null), stepNames({ mainSteps: [null] }), stepNames({ runtimeConfig: 1 })]).toEqual([
    [],
    ['undefined'],
    [],
  ])
})
