import {
  decodeSessionTask,
  type TaskComplete,
  taskAcknowledgePayload,
} from '@sallyport/protocol/control-channel'
import { ManualClock } from '@sallyport/protocol/manual-clock'
import { channelClosedPayload } from '@sallyport/protocol/payloads'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { describe, expect, test } from 'vitest'
import type { Task } from '../store/tasks.ts'
import { CommandsForTest } from './commands-testing.ts'
import { ControlChannel, MAXIMUM_RESULTS, START_REPEAT, TASK_SPACING } from './control-channel.ts'
import { decode, FakeConnection, frameOf, readableLog, word } from './testing.ts'

const NODE = 'mi-0123456789abcdef0'
const PING_EVERY = 30_000
const PONG_TIMEOUT = 15_000

function task(id: number, kind: Task['kind'] = 'start-session'): Task {
  const sessionId = `session-${id}`
  const payload = { DocumentName: 'd', SessionId: sessionId, DocumentContent: {} }
  return {
    accountId: '1',
    region: 'r',
    nodeId: NODE,
    taskId: `task-${id}`,
    kind,
    sessionId,
    payload,
    createdAt: id,
  }
}

function result(taskId: string, more: Partial<TaskComplete> = {}): Uint8Array {
  return word('agent_task_complete', {
    SchemaVersion: 1,
    TaskId: taskId,
    Topic: 'agent_task_complete',
    FinalTaskStatus: 'Success',
    ...more,
  })
}

function setUp(clock = new ManualClock()) {
  const log = readableLog()
  const connection = new FakeConnection()
  const owed: Task[] = []
  const delivered: string[] = []
  const results: string[] = []
  const closed: string[] = []
  const sentAt: number[] = []
  const store = { fails: false, wait: Promise.resolve() }
  const send = connection.send.bind(connection)
  connection.send = data => {
    sentAt.push(clock.now())
    send(data)
  }
  const channel = new ControlChannel({
    nodeId: NODE,
    connection,
    crypto: nodeCrypto,
    clock,
    logger: log.logger,
    pingEvery: PING_EVERY,
    pongTimeout: PONG_TIMEOUT,
    commands: new CommandsForTest(),
    loadTasks: async () => {
      if (store.fails) throw new Error('the store is busy')
      return [...owed]
    },
    onDelivered: async ({ taskId }) => delivered.push(taskId),
    onTaskComplete: async ({ TaskId }) => {
      await store.wait
      if (store.fails) throw new Error('the disk is full')
      results.push(TaskId)
    },
    onSessions: async sessionIds => {
      await store.wait
      if (store.fails) throw new Error('the disk is full')
      results.push(`has ${[...sessionIds].join(' ')}`)
    },
    onClosed: reason => closed.push(reason),
  })
  channel.open()
  return { clock, channel, connection, owed, delivered, results, closed, sentAt, store, log }
}

describe('tasks', () => {
  test('go out in their order, at least 50 ms apart', async () => {
    const { clock, channel, connection, owed, sentAt } = setUp()
    owed.push(task(1), task(2), task(2, 'end-session'), task(3))
    owed[2] = { ...task(2, 'end-session'), taskId: 'end-2' }
    void channel.sendTasks()
    await clock.play(1000)
    const messages = connection.sent.map(decode)
    expect(messages.map(({ messageType }) => messageType)).toEqual([
      'interactive_shell',
      'interactive_shell',
      'channel_closed',
      'interactive_shell',
    ])
    const [first, , third] = messages
    expect(first && decodeSessionTask(first.payload)).toEqual(task(1).payload)
    expect(third && channelClosedPayload.decode(third.payload)).toMatchObject({
      SessionId: 'session-2',
      DestinationId: NODE,
      Output: '',
    })
    const gaps = sentAt.slice(1).map((at, i) => at - (sentAt[i] ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(TASK_SPACING)
  })

  test('go out once on a channel, however often it is told to', async () => {
    const { clock, channel, connection, owed } = setUp()
    owed.push(task(1))
    void channel.sendTasks()
    void channel.sendTasks()
    await clock.play(1000)
    owed.push(task(2))
    void channel.sendTasks()
    await clock.play(1000)
    void channel.sendTasks()
    await clock.play(1000)
    expect(connection.sent).toHaveLength(2)
  })

  test('that start a session go out again while the agent does not take it up', async () => {
    const { clock, channel, connection, owed } = setUp()
    owed.push(task(1), task(2, 'end-session'))
    void channel.sendTasks()
    await clock.play(START_REPEAT - 1)
    expect(connection.types).toEqual(['interactive_shell', 'channel_closed'])
    await clock.play(TASK_SPACING)
    expect(connection.types).toEqual(['interactive_shell', 'channel_closed', 'interactive_shell'])
    // It has opened its data channel.
    owed.length = 0
    await clock.play(10 * START_REPEAT)
    expect(connection.sent).toHaveLength(3)
  })

  test('are remembered for as long as they are owed, and no longer', async () => {
    const { clock, channel, connection, owed } = setUp()
    owed.push(task(1))
    await channel.sendTasks()
    owed.length = 0
    await channel.sendTasks()
    owed.push(task(1))
    void channel.sendTasks()
    await clock.play(1000)
    expect(connection.sent).toHaveLength(2)
  })

  test('that come while others are sent are not forgotten', async () => {
    const { clock, channel, connection, owed } = setUp()
    owed.push(task(1), task(2), task(3))
    void channel.sendTasks()
    await clock.play(TASK_SPACING)
    owed.push(task(4))
    void channel.sendTasks()
    await clock.play(1000)
    expect(connection.sent).toHaveLength(4)
  })

  test('go out again on a new channel, and the old one sends no more of them', async () => {
    const first = setUp()
    first.owed.push(task(1), task(2), task(3))
    void first.channel.sendTasks()
    await first.clock.play(TASK_SPACING)
    expect(first.connection.sent).toHaveLength(2)
    const second = setUp(first.clock)
    second.owed.push(...first.owed)
    first.channel.close(1000, 'replaced')
    void second.channel.sendTasks()
    await first.clock.play(1000)
    expect(first.connection.sent).toHaveLength(2)
    expect(second.connection.sent).toHaveLength(3)
  })

  test('that could not be read are tried again', async () => {
    const { clock, channel, connection, owed, store } = setUp()
    owed.push(task(1))
    store.fails = true
    await channel.sendTasks()
    store.fails = false
    await clock.play(5000)
    expect(connection.sent).toHaveLength(1)
  })

  test('that cannot be sent keep back no other', async () => {
    const { clock, channel, connection, owed, log } = setUp()
    const cyclic: Record<string, unknown> = {}
    cyclic.self = cyclic
    owed.push({ ...task(1), payload: cyclic as never }, task(2))
    void channel.sendTasks()
    await clock.play(1000)
    expect(connection.types).toEqual(['interactive_shell'])
    expect(log.lines.map(({ msg }) => msg)).toEqual(['a task could not be sent'])
  })

  test('do not wait for a clock that was set back', async () => {
    const { clock, channel, connection, owed } = setUp()
    owed.push(task(1))
    await channel.sendTasks()
    clock.setBack(3600_000)
    owed.push(task(2))
    void channel.sendTasks()
    await clock.play(TASK_SPACING)
    expect(connection.sent).toHaveLength(2)
  })

  test('that end a session count as done once the channel has proved that they were read', async () => {
    const { clock, channel, connection, owed, delivered } = setUp()
    owed.push(task(1), { ...task(2, 'end-session'), taskId: 'end-2' })
    void channel.sendTasks()
    for (let i = 0; i < 8; i++) {
      await clock.play(PING_EVERY / 3)
      connection.events.pong()
    }
    expect(delivered).toEqual(['end-2'])
  })

  test('that end a session are owed for as long as the channel may be dead', async () => {
    const { clock, channel, owed, delivered, closed } = setUp()
    owed.push(task(1, 'end-session'))
    void channel.sendTasks()
    await clock.play(10 * PING_EVERY)
    expect(closed).toEqual(['no answer to a ping'])
    expect(delivered).toEqual([])
    expect(clock.pending).toBe(0)
  })

  test('and ends without a task keep the same distance', async () => {
    const { clock, channel, owed, sentAt } = setUp()
    owed.push(task(1), task(2))
    void channel.sendTasks()
    void channel.endSessions(['a', 'b', 'c'])
    await clock.play(1000)
    const gaps = sentAt.slice(1).map((at, i) => at - (sentAt[i] ?? 0))
    expect(gaps).toHaveLength(4)
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(TASK_SPACING)
  })
})

describe('results', () => {
  test('are acknowledged with the id of their message, once they are stored', async () => {
    const { clock, connection, results, store } = setUp()
    let stored = () => {}
    store.wait = new Promise(resolve => {
      stored = resolve
    })
    const frame = result('session-1', { FinalTaskStatus: 'Failed', Output: 'no', RetryNumber: 1 })
    connection.receive(frame)
    await clock.play(0)
    expect(connection.sent).toEqual([])
    stored()
    await clock.play(0)
    expect(results).toEqual(['session-1'])
    const [answer] = connection.sent.map(decode)
    expect(answer && taskAcknowledgePayload.decode(answer.payload)).toEqual({
      SchemaVersion: 1,
      MessageId: decode(frame).messageId,
      TaskId: 'session-1',
      Topic: 'agent_task_complete',
    })
  })

  test('are not acknowledged when they could not be stored; the agent sends them again', async () => {
    const { clock, connection, results, store, log } = setUp()
    store.fails = true
    const frame = result('session-1')
    connection.receive(frame)
    await clock.play(0)
    expect(connection.sent).toEqual([])
    expect(log.lines.map(({ msg }) => msg)).toEqual(['a result could not be stored'])
    store.fails = false
    connection.receive(frame)
    await clock.play(0)
    expect(results).toEqual(['session-1'])
    expect(connection.types).toEqual(['agent_task_acknowledge'])
  })

  test('are stored one after the other, and all acknowledged', async () => {
    const { clock, connection, results } = setUp()
    for (let i = 0; i < 10; i++) connection.receive(result(`session-${i}`))
    for (let i = 0; i < 10; i++) await clock.play(0)
    expect(results).toEqual(Array.from({ length: 10 }, (_, i) => `session-${i}`))
    expect(connection.sent).toHaveLength(10)
  })

  test('that come faster than they can be stored wait in the socket', async () => {
    const { clock, connection, results, store } = setUp()
    let stored = () => {}
    store.wait = new Promise(resolve => {
      stored = resolve
    })
    for (let i = 0; i < 10 * MAXIMUM_RESULTS; i++) connection.receive(result(`session-${i}`))
    expect(connection.paused).toBe(true)
    stored()
    for (let i = 0; i < 1000 && results.length < 10 * MAXIMUM_RESULTS; i++) await clock.play(0)
    expect(results).toHaveLength(10 * MAXIMUM_RESULTS)
    await clock.play(0)
    expect(connection.paused).toBe(false)
  })
})

describe('the sessions that an agent has', () => {
  const has = (...SessionIds: unknown[]) => word('agent_sessions', { SessionIds })

  test('are told in their turn with the results, and have no answer', async () => {
    const { clock, connection, results } = setUp()
    connection.receive(result('s-1'), has('s-2', 's-3'), has(), result('s-4'))
    for (let i = 0; i < 100 && results.length < 4; i++) await clock.play(0)
    expect(results).toEqual(['s-1', 'has s-2 s-3', 'has ', 's-4'])
    await clock.play(0)
    expect(connection.types).toEqual(['agent_task_acknowledge', 'agent_task_acknowledge'])
  })

  test('are not read faster than they can be compared', async () => {
    const { clock, connection, store, log } = setUp()
    let compared = () => {}
    store.wait = new Promise(resolve => {
      compared = resolve
    })
    for (let i = 0; i < 2 * MAXIMUM_RESULTS; i++) connection.receive(has())
    expect(connection.paused).toBe(true)
    store.fails = true
    compared()
    for (let i = 0; i < 100 && connection.paused; i++) await clock.play(0)
    expect(log.lines[0]).toMatchObject({ msg: 'sessions could not be compared with those of the agent' })
  })

  test('end the channel when they make no sense', () => {
    const { connection } = setUp()
    connection.receive(has(1))
    expect(connection.closedWith?.code).toBe(1002)
  })
})

describe('the channel', () => {
  test('ends, with a line in the log, when its node says what only a gateway says', async () => {
    const types = ['interactive_shell', 'channel_closed', 'agent_task_acknowledge']
    for (const type of [...types, 'agent_job', 'agent_job_reply_ack']) {
      const { connection, log } = setUp()
      connection.receive(word(type, {}))
      const reason = `an agent must not send ${type}`
      expect(connection.closedWith).toEqual({ code: 1002, reason })
      expect(log.lines).toMatchObject([{ msg: 'protocol violation', code: 'unexpected-message', reason }])
    }
  })

  test('ignores messages of types that it does not know', async () => {
    const { clock, connection, closed } = setUp()
    for (const type of ['agent_telemetry', 'agent_update_result', 'of_tomorrow']) {
      connection.receive(frameOf({ messageType: type }))
    }
    await clock.play(0)
    expect(connection.sent).toEqual([])
    expect(closed).toEqual([])
  })

  test('ends with 1002, and one line in the log, when a frame or a result cannot be read', async () => {
    const bad = [new Uint8Array(5), word('agent_task_complete', { TaskId: 7 }), result('').subarray(1)]
    for (const frame of bad) {
      const { connection, closed, log } = setUp()
      connection.receive(frame, frame)
      await Promise.resolve()
      expect(connection.closedWith?.code).toBe(1002)
      expect(closed).toHaveLength(1)
      expect(log.lines.map(({ msg }) => msg)).toEqual(['protocol violation'])
    }
  })

  test('ends when its node answers no ping', () => {
    const { clock, closed } = setUp()
    clock.advance(PING_EVERY + PONG_TIMEOUT - 1)
    expect(closed).toEqual([])
    clock.advance(1)
    expect(closed).toEqual(['no answer to a ping'])
    expect(clock.pending).toBe(0)
  })

  test('says once that it is over, also when it was over before it began', async () => {
    const { channel, connection, closed } = setUp()
    connection.lose(1006)
    channel.close(1000, 'x')
    await Promise.resolve()
    expect(closed).toEqual(['closed (1006)'])
  })
})
