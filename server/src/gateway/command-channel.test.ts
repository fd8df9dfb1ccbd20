import { decodeAgentJob } from '@sallyport/protocol/run-command'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FIRST_JOB_AFTER, MAXIMUM_AGE, MAXIMUM_BUFFERED } from './command-channel.ts'
import {
  ack,
  cancelJob,
  commandJob,
  gate,
  idOf,
  jobs,
  NODE,
  own,
  reply,
  setUp,
  stock,
  UUID,
} from './commands-testing.ts'
import { TASK_SPACING } from './control-channel.ts'
import { decode, word } from './testing.ts'
import { RESEND_AFTER } from './unanswered-jobs.ts'

describe('jobs for a stock agent', () => {
  test('wait until its processors are up, and go out at least 50 ms apart', async () => {
    const { clock, commands, channel, connection, sentAt } = setUp()
    commands.jobs.push(
      commandJob(NODE, 'a', '{"CommandId":"a"}'),
      cancelJob(NODE, 'b', UUID),
      commandJob(NODE, 'c'),
    )
    channel.beginCommands()
    void channel.sendCommands()
    await clock.play(FIRST_JOB_AFTER - 1)
    expect([connection.sent.length, commands.asked]).toEqual([0, 0])
    await clock.play(1000)
    const [first, second] = connection.sent.map(frame => decodeAgentJob(decode(frame).payload))
    expect(first).toEqual({ jobId: idOf('a'), topic: 'aws.ssm.sendCommand', content: '{"CommandId":"a"}' })
    expect(second).toEqual({
      jobId: UUID,
      topic: 'aws.ssm.cancelCommand',
      content: `{"CancelMessageId":"${idOf('b')}"}`,
    })
    expect(jobs(connection)).toHaveLength(3)
    const gaps = sentAt.slice(1).map((at, i) => at - (sentAt[i] ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(TASK_SPACING)
    expect(commands.announced).toEqual(['a', 'c'])
  })

  test('keep their distance from the ends of sessions too', async () => {
    const { clock, commands, channel, sentAt } = await stock()
    commands.jobs.push(commandJob(NODE, 'a'))
    void channel.endSessions(['s-1', 's-2'])
    void channel.sendCommands()
    await clock.play(1000)
    const gaps = sentAt.slice(1).map((at, i) => at - (sentAt[i] ?? 0))
    expect(gaps).toHaveLength(2)
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(TASK_SPACING)
  })

  test('do not go out when they were cancelled while others did', async () => {
    const { clock, commands, channel, connection } = await stock()
    commands.jobs.push(...Array.from({ length: 20 }, (_, i) => commandJob(NODE, `c-${i}`)))
    void channel.sendCommands()
    await clock.play(2 * TASK_SPACING)
    commands.jobs.splice(15)
    await clock.play(MAXIMUM_AGE + 20 * TASK_SPACING)
    expect(jobs(connection)).toEqual(Array.from({ length: 15 }, (_, i) => idOf(`c-${i}`)))
  })

  test('do not go out before the node is online', async () => {
    const { clock, commands, channel, connection } = setUp()
    commands.jobs.push(commandJob(NODE, 'a'))
    connection.receive(word('agent_sessions', { SessionIds: [] }))
    void channel.sendCommands()
    await clock.play(10 * FIRST_JOB_AFTER)
    expect(commands.asked).toBe(0)
    channel.beginCommands()
    await clock.play(0)
    expect(jobs(connection)).toEqual([idOf('a')])
  })
})

describe('jobs for our own agent', () => {
  test('go out at once, all of them', async () => {
    const { clock, commands, channel, connection, sentAt } = await own()
    commands.jobs.push(...Array.from({ length: 50 }, (_, i) => commandJob(NODE, `c${i}`)))
    const now = clock.now()
    await channel.sendCommands()
    expect(jobs(connection)).toEqual(commands.jobs.map(({ job }) => job.jobId))
    expect(sentAt.every(at => at === now)).toBe(true)
  })

  test('go out as soon as it shows whose it is', async () => {
    const { clock, commands, channel, connection } = setUp()
    commands.jobs.push(commandJob(NODE, 'a'))
    channel.beginCommands()
    await clock.play(100)
    connection.receive(word('agent_sessions', { SessionIds: [] }))
    await clock.play(0)
    expect(jobs(connection)).toEqual([idOf('a')])
    await clock.play(FIRST_JOB_AFTER)
    expect(commands.asked).toBe(1)
  })

  test('wait while the network has not taken what there is', async () => {
    const { clock, commands, channel, connection } = await own()
    commands.jobs.push(commandJob(NODE, 'a'), commandJob(NODE, 'b'))
    connection.bufferedBytes = MAXIMUM_BUFFERED + 1
    await channel.sendCommands()
    expect(jobs(connection)).toEqual([])
    connection.drainTo(MAXIMUM_BUFFERED)
    await clock.play(0)
    expect(jobs(connection)).toHaveLength(2)
  })

  test('that are more than are told at once go out when others have been taken', async () => {
    const { clock, commands, channel, connection } = await own()
    const all = Array.from({ length: 250 }, (_, i) => commandJob(NODE, `c${i}`))
    commands.jobs.push(...all)
    await channel.sendCommands()
    expect(jobs(connection)).toHaveLength(100)
    for (let acked = 0; acked < 250; ) {
      for (const jobId of jobs(connection).slice(acked, acked + 10)) connection.receive(ack(jobId))
      acked += 10
      await clock.play(0)
    }
    expect(jobs(connection)).toEqual(all.map(({ job }) => job.jobId))
  })
})

describe('a job', () => {
  test('is asked for once by however many events, and not sent twice', async () => {
    const { clock, commands, channel, connection } = await own()
    commands.jobs.push(commandJob(NODE, 'a'))
    for (let i = 0; i < 10; i++) void channel.sendCommands()
    await clock.play(0)
    expect(commands.asked).toBe(3)
    expect(jobs(connection)).toHaveLength(1)
  })

  test('goes out again when nothing is heard of it, for as long as it is owed', async () => {
    const { clock, commands, channel, connection } = await stock()
    commands.jobs.push(commandJob(NODE, 'a'), cancelJob(NODE, 'b', 'uuid-1'))
    void channel.sendCommands()
    await clock.play(RESEND_AFTER - 1)
    expect(jobs(connection)).toEqual([idOf('a'), 'uuid-1'])
    commands.jobs[1] = cancelJob(NODE, 'b', 'uuid-2')
    await clock.play(200)
    expect(jobs(connection)).toEqual([idOf('a'), 'uuid-1', idOf('a'), 'uuid-2'])
    commands.jobs.length = 0
    await clock.play(10 * RESEND_AFTER)
    expect(jobs(connection)).toHaveLength(4)
    expect(clock.pending).toBe(1)
  })

  test('that was acknowledged goes out no more, and nothing waits for it', async () => {
    const { clock, commands, channel, connection } = await own()
    commands.jobs.push(commandJob(NODE, 'a'))
    await channel.sendCommands()
    connection.receive(ack(idOf('a')))
    await clock.play(0)
    expect(commands.told).toEqual(['accepted command a'])
    const asked = commands.asked
    await clock.play(10 * RESEND_AFTER)
    expect([jobs(connection).length, commands.asked]).toEqual([1, asked])
    expect(clock.pending, 'the ping').toBe(1)
  })

  test('does not go out again while its acknowledgement is being stored, nor for an old list', async () => {
    const { clock, commands, channel, connection } = await own()
    commands.jobs.push(commandJob(NODE, 'a'))
    await channel.sendCommands()
    const [storing, reading] = [gate(), gate()]
    commands.stored = storing.closed
    connection.receive(ack(idOf('a')))
    await clock.play(2 * RESEND_AFTER)
    expect(jobs(connection)).toHaveLength(1)
    // The list is made before the acknowledgement is stored, and comes after it.
    commands.read = reading.closed
    void channel.sendCommands()
    await clock.play(0)
    storing.open()
    await clock.play(0)
    expect(commands.jobs).toEqual([])
    reading.open()
    await clock.play(2 * RESEND_AFTER)
    expect(jobs(connection)).toHaveLength(1)
  })

  test('whose acknowledgement could not be stored goes out again', async () => {
    const { clock, commands, channel, connection, log } = await own()
    commands.jobs.push(commandJob(NODE, 'a'))
    await channel.sendCommands()
    commands.fails = true
    connection.receive(ack(idOf('a')))
    await clock.play(0)
    expect(log.lines.map(({ msg }) => msg)).toEqual(['an answer could not be stored'])
    commands.fails = false
    await clock.play(RESEND_AFTER)
    expect(jobs(connection)).toHaveLength(2)
    connection.receive(ack(idOf('a'), '51405', 'DuplicateCommand'))
    await clock.play(0)
    expect(commands.told.at(-1)).toBe('accepted command a')
    expect(connection.paused).toBe(false)
  })

  test('whose acknowledgement was lost counts as taken by its first reply', async () => {
    const { clock, commands, channel, connection } = await stock()
    commands.jobs.push(commandJob(NODE, 'a'))
    void channel.sendCommands()
    await clock.play(100)
    connection.receive(reply('a', 'InProgress'))
    await clock.play(2 * RESEND_AFTER)
    expect(jobs(connection)).toHaveLength(1)
  })

  test('goes out again on a new channel, which the old one does not disturb', async () => {
    const first = await stock()
    first.commands.jobs.push(commandJob(NODE, 'a'), commandJob(NODE, 'b'), commandJob(NODE, 'c'))
    void first.channel.sendCommands()
    await first.clock.play(TASK_SPACING)
    first.connection.receive(ack(idOf('a')))
    await first.clock.play(0)
    first.connection.lose()
    const second = await stock(first)
    await first.clock.play(1000)
    expect(jobs(first.connection)).toHaveLength(2)
    expect(jobs(second.connection)).toEqual([idOf('b'), idOf('c')])
    // Of a job that the former channel sent.
    second.connection.receive(ack(idOf('b'), '51405'), reply('a', 'Success'))
    await first.clock.play(0)
    expect(first.commands.told.slice(1)).toEqual(['accepted command b', 'reported a Success'])
    second.channel.close(1000, 'x')
    expect(first.clock.pending).toBe(0)
  })

  test('is looked for again when the store could not be read', async () => {
    const { clock, commands, channel, connection, log } = await own()
    commands.jobs.push(commandJob(NODE, 'a'))
    commands.fails = true
    await channel.sendCommands()
    expect(log.lines.map(({ msg }) => msg)).toEqual(['jobs could not be read'])
    commands.fails = false
    await clock.play(5_000)
    expect(jobs(connection)).toHaveLength(1)
    commands.fails = true
    await channel.sendCommands()
    channel.close(1000, 'x')
    expect(clock.pending).toBe(0)
  })
})

describe('whatever happens', () => {
  const behaviour = fc.constantFrom(
    'take',
    'drop',
    'lose the channel',
    'refuse',
    'repeat',
    'fail to store',
    'reply first',
  )

  test('every job is taken in the end, and none goes out once its answer is stored', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(behaviour, { maxLength: 30 }), fc.boolean(), async (behaviours, isOurs) => {
        const open = isOurs ? own : stock
        let peer = await open()
        const { clock, commands } = peer
        commands.jobs.push(...['a', 'b', 'c', 'd'].map(commandId => commandJob(NODE, commandId)))
        const taken = new Set<string>()
        const next = behaviours.values()
        let seen = 0
        const answer = async (jobId: string, how: (typeof behaviours)[number]) => {
          expect(taken.has(jobId), `${jobId} was taken`).toBe(false)
          const commandId = jobId.split('.')[2] ?? ''
          commands.fails = how === 'fail to store'
          if (how === 'lose the channel') {
            peer.connection.lose()
            seen = 0
            peer = await open({ clock, commands })
          } else if (how === 'refuse') {
            peer.connection.receive(ack(jobId, '51402'))
            await clock.play(0)
            commands.jobs.push(commandJob(NODE, commandId))
          } else if (how !== 'drop') {
            if (how === 'reply first') peer.connection.receive(reply(commandId, 'Success'))
            peer.connection.receive(ack(jobId))
            if (how === 'repeat') peer.connection.receive(ack(jobId, '51405'))
            await clock.play(0)
            if (how !== 'fail to store') taken.add(jobId)
          }
          commands.fails = false
        }
        for (let rounds = 0; taken.size < 4 && rounds < 200; rounds++) {
          void peer.channel.sendCommands()
          await clock.play(TASK_SPACING)
          const jobId = jobs(peer.connection)[seen++]
          if (jobId !== undefined) await answer(jobId, next.next().value ?? 'take')
          else {
            seen--
            await clock.play(RESEND_AFTER)
          }
        }
        expect(taken.size).toBe(4)
        peer.channel.close(1000, 'x')
        expect(clock.pending).toBe(0)
      }),
      { numRuns: 60 },
    )
  })
})
