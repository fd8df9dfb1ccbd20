import { utf8 } from '@sallyport/protocol/bytes'
import { PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { expect, test } from 'vitest'
import { rawKind } from './raw-activity.ts'
import { SessionScene } from './session-scene.ts'

const SSH = { properties: { portNumber: '22' } }

test('input is the connection’s, and so is output; nothing is read before the node is there', async () => {
  const scene = new SessionScene([rawKind], SSH)
  expect(scene.terminal.reading).toBe(false)
  await scene.shakeHands()
  scene.agent.send(PayloadType.output, utf8('SSH-2.0-server\r\n'))
  expect(await scene.terminal.untilOut(16)).toBe('SSH-2.0-server\r\n')
  // A lone line feed, which stock plugins turn into a carriage return (data-plane.md 14.1).
  scene.terminal.events.emit('input', utf8('\n'))
  scene.terminal.events.emit('input', utf8('~.\x03'))
  await scene.until(() => scene.received.length === 4)
  expect(scene.received.toString()).toBe('\n~.\x03')
  expect(scene.terminal.raw).toBe(false)
  expect(scene.terminal.notices).toEqual([])
  scene.close('')
  expect(await scene.ended).toEqual({ reason: '', exitCode: 0 })
})

test('a full stdout holds the node back until there is room', async () => {
  const scene = new SessionScene([rawKind], SSH)
  await scene.shakeHands()
  scene.terminal.room = false
  for (const text of ['one ', 'two ', 'three']) scene.agent.send(PayloadType.output, utf8(text))
  expect(await scene.terminal.untilOut(4)).toBe('one ')
  scene.terminal.room = true
  scene.terminal.events.emit('drain')
  expect(await scene.terminal.untilOut(13)).toBe('one two three')
  scene.close('')
  await scene.ended
})

test('at the end of input our agent is told, and the session goes on', async () => {
  const scene = new SessionScene([rawKind], SSH)
  await scene.shakeHands()
  scene.terminal.events.emit('input', utf8('last words'))
  scene.terminal.events.emit('inputEnd')
  await scene.until(() => scene.flags.length > 0)
  expect(scene.flags).toEqual([PayloadFlag.endOfInput])
  expect(scene.received.toString()).toBe('last words')
  scene.agent.send(PayloadType.output, utf8('answer'))
  expect(await scene.terminal.untilOut(6)).toBe('answer')
  expect(scene.terminated).toBe(0)
  scene.close('')
  await scene.ended
})

test('at the end of input a stock agent gets the last of it, and the session is ended', async () => {
  const scene = new SessionScene([rawKind], { ...SSH, ownAgent: false })
  await scene.shakeHands()
  await scene.terminal.untilReading()
  scene.terminal.events.emit('input', utf8('last words'))
  scene.terminal.events.emit('inputEnd')
  expect(await scene.ended).toEqual({ reason: '', exitCode: 0 })
  expect(scene.received.toString()).toBe('last words')
  expect(scene.flags).toEqual([])
  expect(scene.terminated).toBe(1)
})

test('a document that forwards ports is none for this', async () => {
  const scene = new SessionScene([rawKind], { properties: { type: 'LocalPortForwarding', portNumber: '1' } })
  await scene.shakeHands()
  expect(scene.clientProblem).toContain('this client cannot run')
  scene.close('refused')
  expect(await scene.ended).toEqual({ reason: 'refused', exitCode: 1 })
})

test('nor is a shell that begins without a handshake', async () => {
  const scene = new SessionScene([rawKind])
  scene.agent.send(PayloadType.output, utf8('sh-5.1$ '))
  expect(await scene.ended).toEqual({
    reason: 'The node runs a shell, which is not what this client asked for.',
    exitCode: 1,
  })
  expect(scene.terminated).toBe(1)
  expect(scene.terminal.out.toString()).toBe('')
})
