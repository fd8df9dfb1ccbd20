import { EventEmitter } from 'node:events'
import { utf8 } from '@sallyport/protocol/bytes'
import { INPUT_STEP, INPUT_WINDOW } from '@sallyport/protocol/input-credit'
import { PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { encodeExitCode, encodeFlag } from '@sallyport/protocol/payloads'
import { describe, expect, test } from 'vitest'
import { type CommandOptions, commandKind } from './command-activity.ts'
import { type SceneOptions, SessionScene } from './session-scene.ts'

class FakeStderr extends EventEmitter {
  text = ''
  room = true
  write(bytes: Uint8Array): boolean {
    this.text += new TextDecoder().decode(bytes)
    return this.room
  }
}

function open(options: CommandOptions = {}, scene: SceneOptions = {}) {
  const stderr = new FakeStderr()
  const kind = commandKind({ stderr, ...options })
  return Object.assign(new SessionScene([kind], { sessionType: 'NonInteractiveCommands', ...scene }), {
    stderr,
  })
}

const inputRoom = encodeFlag(PayloadFlag.inputRoom)

test('output goes to stdout, errors to stderr, and the status is the command’s', async () => {
  const scene = open()
  await scene.shakeHands()
  scene.agent.send(PayloadType.stderr, utf8('err'))
  scene.agent.send(PayloadType.output, utf8('out'))
  expect(await scene.terminal.untilOut(3)).toBe('out')
  expect(scene.stderr.text).toBe('err')
  scene.agent.sendWhole(PayloadType.exitCode, encodeExitCode(7))
  while (!scene.agent.drained) await new Promise(setImmediate)
  scene.close('')
  expect(await scene.ended).toEqual({ reason: '', exitCode: 0, exitStatus: 7 })
  expect(scene.terminal.raw, 'a terminal stays as it is').toBe(false)
  expect(scene.terminal.notices).toEqual([])
})

test('a full stderr holds the node back', async () => {
  const scene = open()
  await scene.shakeHands()
  scene.stderr.room = false
  for (const text of ['one ', 'two']) scene.agent.send(PayloadType.stderr, utf8(text))
  scene.agent.send(PayloadType.output, utf8('after'))
  await expect.poll(() => scene.stderr.text).toBe('one ')
  expect(scene.terminal.out.toString()).toBe('')
  scene.stderr.room = true
  scene.stderr.emit('drain')
  expect(await scene.terminal.untilOut(5)).toBe('after')
  expect(scene.stderr.text).toBe('one two')
  scene.close('')
  await scene.ended
})

describe('input', () => {
  test('is sent as far as the agent has asked for it, in order, and then its end', async () => {
    const scene = open()
    await scene.shakeHands()
    await scene.terminal.untilReading()
    const data = Buffer.from(Array.from({ length: INPUT_WINDOW + INPUT_STEP + 5 }, (_, i) => i % 251))
    for (let at = 0; at < data.length; at += 65_000) {
      scene.terminal.events.emit('input', data.subarray(at, at + 65_000))
    }
    scene.terminal.events.emit('inputEnd')
    await scene.until(() => scene.received.length >= INPUT_WINDOW)
    expect(scene.received).toHaveLength(INPUT_WINDOW)
    expect(scene.terminal.reading).toBe(false)
    scene.agent.sendWhole(PayloadType.flag, inputRoom)
    await scene.until(() => scene.received.length >= INPUT_WINDOW + INPUT_STEP)
    expect(scene.flags).toEqual([])
    scene.agent.sendWhole(PayloadType.flag, inputRoom)
    await scene.until(() => scene.flags.length > 0)
    expect(scene.flags).toEqual([PayloadFlag.endOfInput])
    expect(scene.received.equals(data)).toBe(true)
    scene.close('')
    await scene.ended
  })

  test('that nobody may read ends at once', async () => {
    const scene = open({ withoutInput: true })
    await scene.shakeHands()
    await scene.until(() => scene.flags.length > 0)
    expect(scene.flags).toEqual([PayloadFlag.endOfInput])
    expect(scene.terminal.events.listenerCount('input')).toBe(0)
    scene.close('')
    await scene.ended
  })

  test('cannot be had by a stock agent, which is said once, and only if there is some', async () => {
    const scene = open({}, { ownAgent: false })
    await scene.shakeHands()
    await scene.terminal.untilReading()
    expect(scene.terminal.notices).toEqual([])
    for (const text of ['one', 'two']) scene.terminal.events.emit('input', utf8(text))
    expect(scene.terminal.notices).toEqual([expect.stringContaining('gives commands no input')])
    expect(scene.received).toHaveLength(0)
    scene.close('')
    await scene.ended
  })
})

describe('signals', () => {
  test('are passed on to our own agent', async () => {
    const scene = open()
    await scene.shakeHands()
    const { interrupt, terminate, hangUp, quit } = PayloadFlag
    for (const signal of ['SIGHUP', 'SIGHUP'] as const) scene.signal(signal)
    await scene.until(() => scene.flags.length === 2)
    expect(scene.flags).toEqual([hangUp, hangUp])
    for (const [signal, flag] of [
      ['SIGINT', interrupt],
      ['SIGTERM', terminate],
      ['SIGQUIT', quit],
    ] as const) {
      const other = open()
      await other.shakeHands()
      other.signal(signal)
      await other.until(() => other.flags.length > 0)
      expect(other.flags).toEqual([flag])
      other.close('')
    }
    scene.close('')
    await scene.ended
  })

  test('pass input that waits', async () => {
    const scene = open()
    await scene.shakeHands()
    await scene.terminal.untilReading()
    scene.terminal.events.emit('input', Buffer.alloc(INPUT_WINDOW * 2))
    scene.signal('SIGTERM')
    await scene.until(() => scene.flags.length > 0)
    expect(scene.flags).toEqual([PayloadFlag.terminate])
    scene.close('')
    await scene.ended
  })

  test('a second one ends the session at the server too', async () => {
    const scene = open()
    await scene.shakeHands()
    scene.signal('SIGINT')
    scene.signal('SIGINT')
    expect(await scene.ended).toEqual({ reason: 'ended by SIGINT', exitCode: 130 })
    expect(scene.terminated).toBe(1)
  })

  test('before the agent is there the first ends the session', async () => {
    const scene = open()
    scene.signal('SIGTERM')
    expect(await scene.ended).toEqual({ reason: 'ended by SIGTERM', exitCode: 143 })
    expect(scene.terminated).toBe(1)
  })

  test('a stock agent gets the keys it knows, and is left for the others', async () => {
    const scene = open({}, { ownAgent: false })
    await scene.shakeHands()
    await scene.terminal.untilReading()
    scene.signal('SIGINT')
    await scene.until(() => scene.received.length > 0)
    expect([...scene.received]).toEqual([0x03])
    const other = open({}, { ownAgent: false })
    await other.shakeHands()
    await other.terminal.untilReading()
    other.signal('SIGHUP')
    expect(await other.ended).toEqual({ reason: 'ended by SIGHUP', exitCode: 129 })
    expect(scene.flags).toEqual([])
    scene.close('')
    await scene.ended
  })
})

test('a stderr that nobody reads ends the session as SIGPIPE would', async () => {
  const scene = open()
  await scene.shakeHands()
  scene.stderr.emit('error', new Error('EPIPE'))
  expect(await scene.ended).toMatchObject({ exitCode: 141 })
  expect(scene.terminated).toBe(1)
})
