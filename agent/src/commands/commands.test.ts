import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { JobAckCode, jobIdOf } from '@sallyport/protocol/run-command'
import { expect, test } from 'vitest'
import type { DocumentOutcome } from './document-request.ts'
import { eventually, NODE, openNode, stepReply } from './testing-node.ts'

const newId = () => crypto.randomUUID()
const again = (step: string) => ({
  step,
  element: 0,
  result: { status: 'SuccessAndReboot' as const, code: 194 },
  startedAt: 1_700_000_000_000,
})
const job = (commandId: string) => jobIdOf(commandId, NODE)

test('a command of one step is acknowledged, run, and answered with one reply', async () => {
  const node = openNode()
  const agent = await node.live().start()
  const id = newId()
  agent.command(id)
  expect(await agent.code(job(id))).toBe(JobAckCode.accepted)
  const request = await agent.running(id)
  expect(request).toMatchObject({ nodeId: NODE, documentName: 'Test', environment: { region: 'eu-test-1' } })
  expect(request.directory.startsWith(join(node.directory, id))).toBe(true)
  request.onStep(stepReply('only'))
  agent.end(id)
  const result = await agent.result(id)
  expect(result).toMatchObject({
    jobId: job(id),
    status: 'Success',
    steps: [{ name: 'only', standardOutput: 'only said' }],
  })
  expect(agent.replies).toHaveLength(1)
})

test('one that takes longer says that it runs, then each of its steps, then how it ended', async () => {
  const agent = await openNode().live().start()
  const id = newId()
  agent.command(id, ['one', 'two'])
  const request = await agent.running(id)
  agent.clock.advance(200)
  const steps = [stepReply('one'), stepReply('two', 'Failed', 3)]
  for (const step of steps) request.onStep(step)
  agent.end(id, { status: 'Failed', steps })
  await agent.result(id)
  expect(
    agent.replies.map(({ status, steps }) => [status, steps.map(step => [step.name, step.code])]),
  ).toEqual([
    ['InProgress', []],
    ['InProgress', [['one', 0]]],
    ['InProgress', [['two', 3]]],
    ['Failed', []],
  ])
})

test('a reply goes out again, under the same id, until it is acknowledged', async () => {
  const node = openNode()
  const agent = await node.live().start()
  const id = newId()
  agent.command(id)
  await agent.running(id)
  agent.end(id)
  const first = await agent.result(id)
  agent.clock.advance(5_000)
  await agent.until(() => agent.replies[1])
  expect(agent.replies[1]).toEqual(first)
  agent.acknowledge(first)
  agent.clock.advance(60_000)
  await agent.commands.stop()
  expect(agent.replies).toHaveLength(2)
  const next = await node.live().start()
  next.clock.advance(60_000)
  await next.commands.stop()
  expect(next.replies).toEqual([])
})

test('what ends while the server is away is told when it is back, in order, also by the next agent', async () => {
  const node = openNode()
  const agent = await node.live().start()
  const ids = [newId(), newId()] as const
  agent.command(ids[0], ['one', 'two'])
  agent.command(ids[1])
  const request = await agent.running(ids[0])
  await agent.running(ids[1])
  agent.commands.disconnected()
  request.onStep(stepReply('one'))
  request.onStep(stepReply('two'))
  agent.end(ids[0], { steps: [stepReply('one'), stepReply('two')] })
  await eventually(() => node.has(ids[0], 'result.json')).toBe(true)
  expect(request.signal.aborted).toBe(false)
  agent.connect()
  const told = await agent.result(ids[0])
  expect(agent.replies.map(reply => reply.steps.map(step => step.name))).toEqual([['one'], ['two'], []])
  const next = await node.live().start()
  expect((await next.result(ids[0])).messageId).toBe(told.messageId)
  const again = next.replies.filter(reply => reply.commandId === ids[0])
  expect(again.map(reply => reply.messageId)).toEqual(agent.replies.map(reply => reply.messageId))
})

test('the same command again is not run again, neither by this agent nor by the next; its result is repeated', async () => {
  const node = openNode()
  const agent = await node.live().start()
  const id = newId()
  agent.command(id)
  agent.command(id)
  await agent.until(() => (agent.acks.length === 2 ? true : undefined))
  expect(agent.acks.map(ack => ack.code)).toEqual([JobAckCode.accepted, JobAckCode.duplicate])
  await agent.running(id)
  agent.end(id)
  agent.acknowledge(await agent.result(id))
  await eventually(() => node.has(id, 'acknowledged')).toBe(true)
  const next = await node.live().start()
  next.command(id)
  expect(await next.code(job(id))).toBe(JobAckCode.duplicate)
  expect((await next.result(id)).status).toBe('Success')
  expect([...agent.runs, ...next.runs]).toHaveLength(1)
})

test('as many run and wait as may; the next is refused and may come again', async () => {
  const agent = await openNode()
    .live({ limits: { running: 2, waiting: 3 } })
    .start()
  const ids = Array.from({ length: 6 }, newId)
  for (const id of ids) agent.command(id)
  await agent.until(() => (agent.acks.length === 6 ? true : undefined))
  const [first = '', second = '', third = '', , , last = ''] = ids
  expect(await agent.code(job(last))).toBe(JobAckCode.full)
  expect(agent.acks.filter(ack => ack.code === JobAckCode.accepted)).toHaveLength(5)
  for (const id of [first, second]) await agent.running(id)
  expect(agent.runs).toHaveLength(2)
  agent.end(first)
  await agent.running(third)
  agent.acks.length = 0
  agent.command(last)
  expect(await agent.code(job(last))).toBe(JobAckCode.accepted)
})

test('a command that the disk does not take is not accepted, and may come again', async () => {
  const node = openNode()
  const agent = await node.live().start()
  rmSync(node.directory, { recursive: true })
  writeFileSync(node.directory, '')
  const id = newId()
  agent.command(id)
  expect(await agent.code(job(id))).toBe(JobAckCode.internal)
  rmSync(node.directory)
  await node.live().start()
  agent.acks.length = 0
  agent.command(id)
  expect(await agent.code(job(id))).toBe(JobAckCode.accepted)
  await agent.running(id)
})

test('a waiting command is cancelled at once, a running one by its signal', async () => {
  const agent = await openNode()
    .live({ limits: { running: 1, waiting: 5 } })
    .start()
  const [running, waiting] = [newId(), newId()]
  agent.command(running)
  agent.command(waiting)
  await agent.running(running)
  expect(await agent.code(agent.cancel(waiting))).toBe(JobAckCode.accepted)
  expect(await agent.result(waiting)).toMatchObject({ status: 'Cancelled', steps: [] })
  expect(await agent.code(agent.cancel(running))).toBe(JobAckCode.accepted)
  expect(await agent.result(running)).toMatchObject({ status: 'Cancelled', steps: [{ code: 137 }] })
  expect(agent.runs).toHaveLength(1)
})

test('a cancel that comes before its command is answered, and the command is not run then', async () => {
  const node = openNode()
  const id = newId()
  const agent = await node.live().start()
  expect(await agent.code(agent.cancel(id))).toBe(JobAckCode.accepted)
  agent.acknowledge(await agent.result(id))
  await eventually(() => node.has(id, 'acknowledged')).toBe(true)
  for (const next of [agent, await node.live().start()]) {
    next.replies.length = 0
    next.command(id)
    expect((await next.result(id)).status).toBe('Cancelled')
    next.acknowledge(await next.result(id))
    expect(next.runs).toEqual([])
  }
})

test('a crash in the middle of a step: it is not run again, and the reply says which; what waited is begun', async () => {
  const node = openNode()
  const limits = { running: 1, waiting: 5 }
  const agent = await node.live({ limits }).start()
  const [running, waiting] = [newId(), newId()]
  agent.command(running, ['one', 'two', 'three'])
  agent.command(waiting)
  await agent.code(job(waiting))
  const request = await agent.running(running)
  const steps = [stepReply('one')]
  request.onStep(stepReply('one'))
  await request.onProgress({ steps, exit: false })
  const next = await node.live({ limits }).start()
  const result = await next.result(running)
  expect(result.status).toBe('Failed')
  expect(result.trace).toMatch(/agent on the node was restarted while step two ran/)
  expect(result.steps).toMatchObject([{ name: 'two', status: 'Failed' }])
  await next.running(waiting)
  expect(next.runs.map(run => run.commandId)).toEqual([waiting])
})

test('a command is never run twice by a machine that lost what was not synced', async () => {
  const node = openNode()
  const agent = await node.live().start()
  const id = newId()
  agent.command(id)
  await agent.running(id)
  const crashed = await node.live().start()
  expect((await crashed.result(id)).trace).toContain('step only')
  for (const file of ['run', 'result.json']) rmSync(join(node.directory, id, file), { recursive: true })
  const rebooted = await node.live({ boot: 'second-boot' }).start()
  expect((await rebooted.result(id)).trace).toContain('step only')
  expect(rebooted.runs).toEqual([])
})

test('half a result is none: the machine died while it was written', async () => {
  const node = openNode()
  const agent = await node.live().start()
  const id = newId()
  agent.command(id)
  await agent.running(id)
  writeFileSync(join(node.directory, id, 'result.json'), '{"messageId":"x')
  const next = await node.live().start()
  expect((await next.result(id)).trace).toContain('step only')
})

test('what was accepted and not begun when the agent died is begun by the next', async () => {
  const node = openNode()
  const agent = await node.live().start()
  const id = newId()
  agent.command(id)
  await agent.running(id)
  rmSync(join(node.directory, id, 'run'), { recursive: true })
  const next = await node.live().start()
  await next.running(id)
})

test('an agent that stops kills what runs, and says so', async () => {
  const node = openNode()
  const limits = { running: 1, waiting: 5 }
  const agent = await node.live({ limits }).start()
  const [running, waiting, late] = [newId(), newId(), newId()]
  agent.command(running)
  agent.command(waiting)
  await agent.running(running)
  const stopped = agent.commands.stop()
  agent.command(late)
  expect(await agent.code(job(late))).toBe(JobAckCode.closed)
  await stopped
  const next = await node.live({ limits }).start()
  expect(await next.result(running)).toMatchObject({
    status: 'Failed',
    trace: 'The agent on the node was stopped.',
  })
  await next.running(waiting)
  expect(next.runs).toHaveLength(1)
})

test('what was cancelled before the agent stops has been cancelled', async () => {
  let end = () => {}
  const run = () =>
    new Promise<DocumentOutcome>(resolve => {
      end = () => resolve({ status: 'Cancelled', trace: '', steps: [], reboot: false })
    })
  const agent = await openNode().live({ run }).start()
  const id = newId()
  agent.command(id)
  await agent.code(job(id))
  await agent.code(agent.cancel(id))
  const stopped = agent.commands.stop()
  end()
  await stopped
  expect(await agent.result(id)).toMatchObject({ status: 'Cancelled', trace: '' })
})

test('a step that does not end does not keep the agent from stopping', async () => {
  const node = openNode()
  const agent = await node.live({ run: () => new Promise(() => {}) }).start()
  const id = newId()
  agent.command(id)
  await eventually(() => node.has(id, 'run')).toBe(true)
  const stopped = agent.commands.stop()
  await agent.clock.play(5_000)
  await stopped
  expect(await agent.result(id)).toMatchObject({
    trace: 'The agent on the node was stopped. Its processes did not end.',
  })
  expect(agent.clock.pending).toBe(0)
})

test('a command goes on after the reboot that it asked for, and not before', async () => {
  const node = openNode()
  const reboots: string[] = []
  const live = (boot: string) =>
    node.live({ boot, reboot: () => Promise.resolve(void reboots.push(boot)) }).start()
  const id = newId()
  const other = newId()
  const agent = await live('a')
  agent.command(id, ['one', 'two'])
  const request = await agent.running(id)
  const progress = { steps: [stepReply('one')], exit: false, again: again('two') }
  await request.onProgress(progress)
  await request.reboot()
  agent.end(id, { status: 'SuccessAndReboot', reboot: true })
  agent.command(other)
  expect(await agent.code(job(other))).toBe(JobAckCode.accepted)
  await agent.commands.stop()
  expect(agent.runs).toHaveLength(1)

  const early = await live('a')
  await early.commands.stop()
  expect(reboots).toEqual(['a', 'a'])
  expect(early.runs).toEqual([])

  const after = await live('b')
  expect((await after.running(id)).resume).toEqual(progress)
  await after.running(other)
  expect(after.replies).toEqual([])

  const crashed = await live('b')
  expect((await crashed.result(id)).trace).toContain('step two')
  expect(crashed.runs).toEqual([])
})

test('a machine that does not go down for a reboot goes on after a while, and the command has failed', async () => {
  const agent = await openNode().live().start()
  const [id, other] = [newId(), newId()]
  agent.command(id)
  const request = await agent.running(id)
  await request.onProgress({ steps: [], exit: false, again: again('only') })
  await request.reboot()
  agent.end(id, { status: 'SuccessAndReboot', reboot: true })
  agent.command(other)
  expect(await agent.code(job(other))).toBe(JobAckCode.accepted)
  expect(agent.runs).toHaveLength(1)
  agent.clock.advance(600_000)
  expect(await agent.result(id)).toMatchObject({
    status: 'Failed',
    trace: expect.stringContaining('told to restart'),
  })
  await agent.running(other)
})

test('a command that asks for a reboot every time is stopped from it', async () => {
  const node = openNode()
  const id = newId()
  const progress = { steps: [], exit: false, again: again('only') }
  for (let boot = 0; boot < 10; boot++) {
    const agent = await node.live({ boot: `boot-${boot}` }).start()
    if (boot === 0) agent.command(id)
    const request = await agent.running(id)
    await request.onProgress(progress)
    await request.reboot()
  }
  const agent = await node.live({ boot: 'last' }).start()
  const request = await agent.running(id)
  await request.onProgress(progress)
  await expect(request.reboot()).rejects.toThrow('rebooted 10 times')
  agent.end(id, { status: 'Failed' })
  expect((await agent.result(id)).status).toBe('Failed')
})

test('a document that cannot even be begun, and one whose execution throws, are Failed', async () => {
  const agent = await openNode()
    .live({ run: () => Promise.reject(new Error('no room')) })
    .start()
  const id = newId()
  agent.command(id)
  expect(await agent.result(id)).toMatchObject({ status: 'Failed', trace: 'The agent failed: no room' })
})

test('files are the own of the agent', async () => {
  const node = openNode()
  const agent = await node.live().start()
  const id = newId()
  agent.command(id)
  await agent.running(id)
  agent.end(id)
  await agent.result(id)
  const mode = (path: string) => statSync(path).mode & 0o777
  expect(mode(node.directory)).toBe(0o700)
  expect(mode(join(node.directory, id))).toBe(0o700)
  for (const file of readdirSync(join(node.directory, id))) {
    expect(mode(join(node.directory, id, file))).toBe(file === 'run' ? 0o700 : 0o600)
  }
  expect(readFileSync(join(node.directory, id, 'job.json'), 'utf8')).toContain('"content"')
})
