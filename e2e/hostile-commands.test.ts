import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { JobAckCode } from '@sallyport/protocol/run-command'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { commandsOn, type Fields, STEP, WAIT } from './commands-scene.ts'
import { logLines } from './hostile-peer.ts'
import { LyingNode } from './lying-node.ts'
import { binDirectory, type Stack, startStack } from './stack.ts'
import { isRunning, openTerminal } from './terminal.ts'

// Nodes that want more of Run Command than is theirs, and programs that do not want to end.

/** What would show that text got to the terminal as it was. */
const ACTIVE = /[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u202e]/
const EVIL = '\x1b]52;c;Y3VybCBldmlsfHNo\x07\x1b[2J\u009b31m\u202egnp.exe\rA\n'

let stack: Stack
let mallory: LyingNode
let victim: LyingNode
const { ask, sendTo, invocation, ended } = commandsOn(() => stack)

beforeAll(async () => {
  stack = await startStack()
  mallory = await LyingNode.online(stack, 'mallory')
  victim = await LyingNode.online(stack, 'victim')
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

const jobOf = (commandId: string, nodeId: string) => `aws.ssm.${commandId}.${nodeId}`

/** A reply as agents make it, but for what is given; `runtimeStatus` need not be an object. */
const reply = (documentStatus: string, runtimeStatus: unknown = {}, more: Fields = {}) =>
  JSON.stringify({ additionalInfo: {}, documentStatus, documentTraceOutput: '', runtimeStatus, ...more })

const stepWith = (more: Fields) => ({ [STEP]: { status: 'Success', code: 0, name: STEP, ...more } })

describe('a node', () => {
  test('changes nothing of a command that went to another one, or that it was never sent', async () => {
    const commandId = await sendTo(victim.id, ['true'])
    await victim.told(commandId)
    for (const nodeId of [victim.id, mallory.id, stack.node.id]) {
      const job = jobOf(commandId, nodeId)
      for (const code of [JobAckCode.accepted, JobAckCode.invalidDocument, JobAckCode.full]) {
        mallory.acknowledge(job, code, 'it is mine')
      }
      await mallory.reply(job, reply('Success', stepWith({ standardOutput: 'made up' })))
    }
    await expect(mallory.put(commandId)).rejects.toThrow(/There is no command/)
    await expect(mallory.put(commandId, { InstanceId: victim.id })).rejects.toThrow(/not authorized|denied/i)
    for (const [operation, input] of [
      ['GetCommandOutput', { CommandId: commandId, InstanceId: victim.id }],
      ['WatchCommand', { CommandId: commandId }],
      ['ListCommands', {}],
      ['CancelCommand', { CommandId: commandId }],
      ['SendCommand', { InstanceIds: [victim.id], DocumentName: 'AWS-RunShellScript' }],
    ] as const) {
      await expect(mallory.node.plane.call(operation, input), operation).rejects.toThrow()
    }
    expect(await invocation(commandId, victim.id)).toMatchObject({
      ResponseCode: -1,
      StandardOutputContent: '',
    })
    expect((await invocation(commandId, victim.id)).Status).toMatch(/Pending|InProgress/)
    await victim.reply(jobOf(commandId, victim.id), reply('Success', stepWith({})))
    expect(await invocation(commandId, victim.id)).toMatchObject({ Status: 'Success' })
  })

  test('that floods the server with such answers loses its channel, and nobody else notices', async () => {
    for (let i = 0; i < 200; i++) mallory.send(`${'x'.repeat(2_000)}\x1b[2J`, '[')
    expect(await mallory.closed).toMatchObject({ code: 1002, reason: expect.stringContaining('of no use') })
    expect(logLines(stack, 'answer of a node ignored', mallory.id).length).toBeLessThanOrEqual(100)
    await mallory.comeBack()
    const commandId = await sendTo(stack.node.id, ['echo fine'])
    expect(await ended(commandId)).toMatchObject([{ Output: 'fine\n' }])
  })

  test('says of its own command what it likes, and harms nobody with it', async () => {
    const commandId = await sendTo(mallory.id, ['true'])
    await mallory.told(commandId)
    const job = jobOf(commandId, mallory.id)
    mallory.acknowledge(job, JobAckCode.accepted)
    const deep = `${'['.repeat(60_000)}${']'.repeat(60_000)}`
    const many = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`s${i}`, { status: 'Success' }]))
    for (const content of [
      '',
      'null',
      deep,
      reply('InProgress', deep),
      reply('Won'),
      reply('InProgress', []),
      reply('InProgress', many),
      reply('InProgress', { [STEP]: { status: 'Success', code: 'NaN' } }),
      reply('InProgress', { ['x'.repeat(10_000)]: { status: 'Success' } }),
      '{"documentStatus":"InProgress","runtimeStatus":{"__proto__":{"status":"Failed","code":1}}}',
      reply('InProgress', { constructor: { status: 'Failed' }, '../../../etc/passwd': { status: 'Failed' } }),
    ]) {
      await mallory.reply(job, content)
    }
    expect(await invocation(commandId, mallory.id)).toMatchObject({ Status: 'InProgress', ResponseCode: -1 })

    // In a frame of nearly 256 KiB.
    const output = `${EVIL}\0\ud800${'\r'.repeat(12_000)}x\n`.padEnd(24_000, '\u009b')
    const step = { output, standardOutput: output, standardError: output, code: 1e300 }
    const odd = { startDateTime: '+275760-09-13T00:00:00Z', endDateTime: '0001-01-01T00:00:00Z' }
    await mallory.reply(job, reply('Success', stepWith({ ...step, ...odd }), { documentTraceOutput: output }))
    const told = await invocation(commandId, mallory.id)
    expect(told).toMatchObject({ Status: 'Success', ResponseCode: 0 })
    expect(String(told.StandardOutputContent).length).toBeLessThanOrEqual(24_000)
    // It ended once.
    await mallory.reply(job, reply('Failed', { [STEP]: { status: 'Failed', code: 3 } }))
    expect(await invocation(commandId, mallory.id)).toEqual(told)
    for (const args of [
      ['show', commandId, '--output'],
      ['show', commandId, '--json'],
    ]) {
      const terminal = openTerminal({
        file: `${binDirectory}/sallyport`,
        args: ['command', ...args],
        // Our own headings would be bold.
        env: { ...stack.env, NO_COLOR: '1' },
      })
      onTestFinished(() => terminal[Symbol.asyncDispose]())
      expect(await terminal.exited).toMatchObject({ exitCode: 0 })
      expect(terminal.output()).toContain(']52;c;Y3VybCBldmlsfHNo')
      expect(terminal.output().replaceAll('\r\n', '\n')).not.toMatch(ACTIVE)
    }
  })

  test('hands in the output of its steps from their beginning to their end, and of nothing else', async () => {
    const commandId = await sendTo(mallory.id, ['true'])
    await mallory.told(commandId)
    mallory.acknowledge(jobOf(commandId, mallory.id), JobAckCode.accepted)
    const content = (text: string) => ({ Content: Buffer.from(text).toString('base64') })
    expect(await mallory.put(commandId, content('0123'))).toMatchObject({ NextOffset: 4 })
    expect(await mallory.put(commandId, { ...content('XX4567'), Offset: 2 })).toMatchObject({ NextOffset: 8 })
    expect(await mallory.put(commandId, content('YYY'))).toMatchObject({ NextOffset: 8 })
    for (const [wrong, message] of [
      [{ Offset: 9 }, /may not lie behind its end/],
      [{ Offset: -1 }, /./],
      [{ Offset: 1.5 }, /./],
      [{ Offset: 2 ** 53 }, /./],
      [{ Offset: '0' }, /./],
      [{ Content: 'no base64!' }, /not base64/],
      [{ Content: 'A'.repeat(1_000_000) }, /./],
      [{ Stream: '../stdout' }, /./],
      [{ PluginName: '../../../../x' }, /has no step/],
      [{ PluginName: 'aws:runShellScript\0' }, /has no step/],
      [{ PluginName: '__proto__' }, /has no step/],
      [{ CommandId: `../../${commandId}`.slice(0, 36) }, /no id of a command/],
      [{ InstanceId: '../../../../../tmp' }, /./],
    ] as const) {
      await expect(mallory.put(commandId, wrong), JSON.stringify(wrong).slice(0, 80)).rejects.toThrow(message)
    }
    const { Content } = await ask('GetCommandOutput', { CommandId: commandId, InstanceId: mallory.id })
    expect(Buffer.from(String(Content), 'base64').toString()).toBe('01234567')
    const kept = join(stack.dataDirectory, 'command-output', commandId)
    expect(readdirSync(kept, { recursive: true }).map(String)).toEqual([
      mallory.id,
      join(mallory.id, 'aws%3arunShellScript.stdout'),
    ])
    expect(lstatSync(kept).mode & 0o777).toBe(0o700)
    expect(lstatSync(join(kept, mallory.id, 'aws%3arunShellScript.stdout')).mode & 0o777).toBe(0o600)
  })
})

describe('a program', () => {
  test('that leaves its session, ignores what it is asked and closes its output is gone after a cancel', async () => {
    const pids = join(stack.directory, 'pids')
    const stubborn = [
      "trap '' TERM HUP INT",
      `echo $$ >> ${pids}`,
      `setsid sh -c 'trap "" TERM; echo $$ >> ${pids}; exec sleep 300' &`,
      `sh -c 'exec >&- 2>&-; echo $$ >> ${pids}; exec sleep 300' &`,
      `echo ready >> ${pids}`,
      'exec >&- 2>&-',
      'while :; do sleep 1; done',
    ]
    const commandId = await sendTo(stack.node.id, stubborn)
    const written = () => (existsSync(pids) ? readFileSync(pids, 'utf8').trim().split('\n') : [])
    await vi.waitUntil(() => written().length === 4, WAIT)
    await ask('CancelCommand', { CommandId: commandId })
    expect(await ended(commandId)).toMatchObject([{ Status: 'Cancelled' }])
    const numbers = written().map(Number).filter(Number.isInteger)
    expect(numbers).toHaveLength(3)
    expect(numbers.filter(isRunning)).toEqual([])
  })

  test('is begun once for each of many commands that come at the same time', async () => {
    const lines = join(stack.directory, 'lines')
    const ids = await Promise.all(
      Array.from({ length: 150 }, (_, i) => sendTo(stack.node.id, [`echo line ${i} >> ${lines}`])),
    )
    const left = async () => {
      const statuses = await Promise.all(
        ids.map(async id => (await invocation(id, stack.node.id)).Status as string),
      )
      return statuses.every(status => status === 'Success')
    }
    await vi.waitUntil(left, { timeout: 60_000, interval: 500 })
    const written = readFileSync(lines, 'utf8').trim().split('\n')
    expect([written.length, new Set(written).size]).toEqual([150, 150])
  })

  test('that was running when the agent was killed is not run again', async () => {
    const mark = join(stack.directory, 'once')
    const commandId = await sendTo(stack.node.id, [`echo begun >> ${mark}`, 'sleep 2; exit 0'])
    await vi.waitUntil(() => existsSync(mark), WAIT)
    await stack.node.process.kill('SIGKILL')
    await stack.server.kill('SIGKILL')
    await stack.startServer()
    const former = stack.nodes.shift()
    await stack.startNode(former?.stateDirectory ?? '')
    expect(await ended(commandId)).toMatchObject([
      { Status: 'Failed', Output: expect.stringContaining('restarted while') },
    ])
    expect(readFileSync(mark, 'utf8')).toBe('begun\n')
  })
})
