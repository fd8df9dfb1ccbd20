import { describe, expect, test } from 'vitest'
import { MAXIMUM_USELESS } from './command-channel.ts'
import {
  ack,
  acknowledged,
  cancelJob,
  commandJob,
  gate,
  idOf,
  ignored,
  jobs,
  NODE,
  OTHER,
  own,
  reply,
  UUID,
} from './commands-testing.ts'
import { MAXIMUM_RESULTS } from './control-channel.ts'
import { decode, frameOf, word } from './testing.ts'

// What nodes say of their jobs, on their control channels (data-plane.md 8.3, 8.4).

describe('acknowledgements', () => {
  test('say what became of a job: taken, refused for now, refused for good', async () => {
    const { clock, commands, channel, connection } = await own()
    commands.jobs.push(commandJob(NODE, 'a'), cancelJob(NODE, 'a', UUID))
    await channel.sendCommands()
    connection.receive(
      ack(idOf('a'), '51402', 'ProcessorBufferFull'),
      ack(idOf('b'), '51408', 'AgentJobMessageParseError'),
      reply('b', 'Failed'),
      ack(UUID),
      ack(idOf('c'), '9'.repeat(1000), 'x'.repeat(10_000)),
      ack(idOf('d'), '514\0', 'a\0b\ud800c'),
    )
    await clock.play(0)
    expect(commands.told.slice(0, 4)).toEqual([
      'refused command a 51402 ProcessorBufferFull',
      'refused command b 51408 AgentJobMessageParseError',
      'reported b Failed',
      'accepted cancel a',
    ])
    expect(commands.told[4]).toHaveLength('refused command c  '.length + 32 + 500)
    // No database takes these.
    expect(commands.told[5]).toBe('refused command d 514? a?b\ufffdc')
  })

  test('of a refused job let it go out again when it is owed again', async () => {
    const { clock, commands, channel, connection } = await own()
    commands.jobs.push(commandJob(NODE, 'a'))
    await channel.sendCommands()
    connection.receive(ack(idOf('a'), '51402'))
    await clock.play(0)
    commands.jobs.push(commandJob(NODE, 'a'))
    await channel.sendCommands()
    expect(jobs(connection)).toHaveLength(2)
  })

  test('of jobs of other nodes, and of unknown ones, are ignored with a line in the log', async () => {
    const peer = await own()
    peer.connection.receive(ack(idOf('a', OTHER)), ack(UUID), ack('x'.repeat(100_000)))
    await peer.clock.play(0)
    expect(peer.commands.told).toEqual([])
    expect(ignored(peer)).toHaveLength(3)
    expect(JSON.stringify(peer.log.lines).length).toBeLessThan(2000)
    expect(peer.connection.closedWith).toBeUndefined()
  })
})

describe('replies', () => {
  test('are acknowledged with the id of their message, once they are stored', async () => {
    const { clock, commands, connection } = await own()
    const storing = gate()
    commands.stored = storing.closed
    const frame = reply('a', 'Success')
    connection.receive(frame)
    await clock.play(0)
    expect(connection.sent).toEqual([])
    storing.open()
    await clock.play(0)
    expect(acknowledged(connection)).toEqual([decode(frame).messageId])
    expect(commands.replies).toEqual([{ status: 'Success', trace: '', steps: [] }])
  })

  test('are told in the order in which they came, without waiting for each other', async () => {
    const { clock, commands, connection } = await own()
    commands.stored = gate().closed
    // An agent sends its last two at the same time, often in the wrong order (observed.md 6).
    connection.receive(
      ack(idOf('a')),
      reply('a', 'InProgress'),
      reply('a', 'Success'),
      reply('a', 'InProgress'),
    )
    connection.receive(reply('b', 'Failed'))
    await clock.play(0)
    expect(commands.told).toEqual([
      'accepted command a',
      'reported a InProgress',
      'reported a Success',
      'reported a InProgress',
      'reported b Failed',
    ])
  })

  test('are not acknowledged when they could not be stored; the agent sends them again', async () => {
    const { clock, commands, connection, log } = await own()
    commands.fails = true
    const frame = reply('a', 'Success')
    connection.receive(frame)
    await clock.play(0)
    expect(acknowledged(connection)).toEqual([])
    expect(log.lines.map(({ msg }) => msg)).toEqual(['an answer could not be stored'])
    commands.fails = false
    connection.receive(frame)
    await clock.play(0)
    expect(acknowledged(connection)).toEqual([decode(frame).messageId])
  })

  test('that come faster than they can be stored wait in the socket', async () => {
    const { clock, commands, connection } = await own()
    const storing = gate()
    commands.stored = storing.closed
    for (let i = 0; i < 10 * MAXIMUM_RESULTS; i++) connection.receive(reply(`c${i}`, 'Success'))
    expect([connection.paused, commands.told.length]).toEqual([true, MAXIMUM_RESULTS])
    storing.open()
    for (let i = 0; i < 100 && commands.told.length < 10 * MAXIMUM_RESULTS; i++) await clock.play(0)
    await clock.play(0)
    expect(acknowledged(connection)).toHaveLength(10 * MAXIMUM_RESULTS)
    expect(connection.paused).toBe(false)
  })

  test('of cancelling jobs are acknowledged, and say nothing', async () => {
    const { clock, commands, connection, log } = await own()
    connection.receive(reply('a', 'InProgress', { jobId: UUID, topic: 'aws.ssm.cancelCommand' }))
    await clock.play(0)
    expect([commands.told, acknowledged(connection).length, log.lines]).toEqual([[], 1, []])
  })

  test('that make no sense, or speak for another node, are of use to nobody and need not come again', async () => {
    const peer = await own()
    peer.connection.receive(
      reply('a', 'Success', { jobId: idOf('a', OTHER) }),
      reply('a', 'Success', { jobId: UUID }),
      reply('a', 'Finished'),
      reply('a', 'Success', { content: '{' }),
    )
    await peer.clock.play(0)
    expect(peer.commands.told).toEqual([])
    expect(acknowledged(peer.connection)).toHaveLength(4)
    expect(ignored(peer)).toEqual([
      'it replies to a job that is not for this node',
      'it replies to a job that is not for this node',
      '"Finished" is not the status of a command',
      'reply to a command is not valid JSON',
    ])
    expect(peer.connection.closedWith).toBeUndefined()
  })
})

describe('the channel', () => {
  test('ends when an acknowledgement or a reply is none', async () => {
    const bad = [
      frameOf({ messageType: 'agent_job_ack' }),
      word('agent_job_ack', { jobId: idOf('a'), statusCode: 200 }),
      word('agent_job_reply', { schemaVersion: 1, jobId: 7, content: '{}', topic: '' }),
      word('agent_job_reply', { schemaVersion: 1, jobId: idOf('a'), content: {}, topic: '' }),
    ]
    for (const frame of bad) {
      const { commands, connection } = await own()
      connection.receive(frame)
      expect(connection.closedWith?.code).toBe(1002)
      expect(commands.told).toEqual([])
    }
  })

  test('ends when more comes of what is of no use than any agent has', async () => {
    const peer = await own()
    for (let i = 0; i <= 2 * MAXIMUM_USELESS; i++) {
      peer.connection.receive(ack(UUID))
      await peer.clock.play(0)
    }
    expect(peer.connection.closedWith).toMatchObject({ code: 1002 })
    expect(ignored(peer)).toHaveLength(MAXIMUM_USELESS)
  })
})
