import { utf8 } from '@sallyport/protocol/bytes'
import { MessageType, PayloadType } from '@sallyport/protocol/message-types'
import { encodeExitCode, sessionNoticePayload } from '@sallyport/protocol/payloads'
import { expect, test } from 'vitest'
import { commandKind } from './command-activity.ts'
import { wrongDocument } from './document-types.ts'
import { portKind } from './port-activity.ts'
import { rawKind } from './raw-activity.ts'
import { SessionScene } from './session-scene.ts'
import { shellKind } from './shell-activity.ts'

const SHELL = { sessionType: 'Standard_Stream' }

test('a client that knows what it has asked for begins at once, and types what was typed before the node came', async () => {
  const scene = new SessionScene([shellKind], { ...SHELL, interactive: true })
  expect(scene.terminal.raw).toBe(true)
  scene.terminal.events.emit('input', utf8('ls\r'))
  await scene.shakeHands()
  await scene.until(() => scene.received.length === 3)
  expect(scene.received.toString()).toBe('ls\r')
  scene.close('')
  expect(await scene.ended).toEqual({ reason: '', exitCode: 0 })
  expect(scene.terminal.raw).toBe(false)
})

test('~. ends the session, also where no node has ever answered', async () => {
  const scene = new SessionScene([shellKind], { interactive: true })
  scene.terminal.events.emit('input', utf8('\r~.'))
  expect(await scene.ended).toEqual({ reason: 'Ended by ~.', exitCode: 255 })
  expect(scene.terminated).toBe(1)
})

test('what the gateway has to say is shown, and can do nothing to the terminal', async () => {
  const scene = new SessionScene([shellKind], SHELL)
  await scene.shakeHands()
  scene.fromGateway(
    MessageType.sessionNotice,
    sessionNoticePayload.encode({ Text: 'ends in 5 minutes\x1b[2J' }),
  )
  await scene.terminal.untilNotice()
  expect(scene.terminal.notices).toEqual(['[ends in 5 minutes?[2J]'])
  scene.close('')
  await scene.ended
})

test('the end tells what the node’s program exited with', async () => {
  const scene = new SessionScene([shellKind], SHELL)
  await scene.shakeHands()
  scene.agent.sendWhole(PayloadType.exitCode, encodeExitCode(3))
  scene.agent.send(PayloadType.output, utf8('bye'))
  await scene.terminal.untilOut(3)
  scene.close('')
  expect(await scene.ended).toEqual({ reason: '', exitCode: 0, exitStatus: 3 })
})

test.each([
  [0, 0],
  [256, 1],
  [-1, 255],
  [-2_147_483_648, 1],
  [4_294_967_296, 1],
  [3_221_225_786, 58],
  [9_999_999_999, 255],
])('an exit code of %d is a status of %d: no failure comes to be a success', async (exitCode, exitStatus) => {
  const scene = new SessionScene([shellKind], SHELL)
  await scene.shakeHands()
  scene.agent.sendWhole(PayloadType.exitCode, encodeExitCode(exitCode))
  scene.agent.send(PayloadType.output, utf8('bye'))
  await scene.terminal.untilOut(3)
  scene.close('')
  expect(await scene.ended).toEqual({ reason: '', exitCode: 0, exitStatus })
})

test('nothing is lost or doubled where both connections break', async () => {
  const scene = new SessionScene([rawKind], { properties: { portNumber: '22' } })
  await scene.shakeHands()
  const sent = Array.from({ length: 60 }, (_, i) => `line ${i}\n`)
  for (const [i, line] of sent.entries()) {
    scene.agent.send(PayloadType.output, utf8(line))
    scene.terminal.events.emit('input', utf8(line))
    if (i % 20 === 7) scene.cut('client')
    if (i % 20 === 15) scene.cut('agent')
    if (i % 10 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  const expected = sent.join('')
  expect(await scene.terminal.untilOut(expected.length)).toBe(expected)
  await scene.until(() => scene.received.length >= expected.length)
  expect(scene.received.toString()).toBe(expected)
  expect(scene.dials).toBeGreaterThan(1)
  scene.close('')
  await scene.ended
})

test('one that is over when it is dialled again says so', async () => {
  const scene = new SessionScene([shellKind], SHELL)
  await scene.shakeHands()
  scene.sessionIsOver = true
  scene.cut('client')
  expect(await scene.ended).toMatchObject({
    reason: expect.stringMatching(/^The session is over/),
    exitCode: 255,
  })
})

test('what makes no sense ends the session, also where it had to wait for room', async () => {
  const scene = new SessionScene([commandKind()], { sessionType: 'NonInteractiveCommands' })
  await scene.shakeHands()
  scene.terminal.room = false
  scene.agent.send(PayloadType.output, utf8('full'))
  scene.agent.send(PayloadType.output, utf8('waits'))
  scene.agent.sendWhole(PayloadType.flag, Uint8Array.of(1))
  await scene.terminal.untilOut(4)
  await new Promise(resolve => setImmediate(resolve))
  scene.terminal.room = true
  scene.terminal.events.emit('drain')
  expect(await scene.ended).toMatchObject({ reason: 'a Flag has 4 bytes, this one 1', exitCode: 255 })
})

test('a type that the client cannot run is refused by name, and what comes anyway is for nobody', async () => {
  const scene = new SessionScene([shellKind], { sessionType: 'Frobnicate' })
  await scene.shakeHands()
  expect(scene.clientProblem).toContain('this client cannot run sessions of type Frobnicate')
  scene.agent.send(PayloadType.output, utf8('frob'))
  scene.close('refused')
  expect(await scene.ended).toEqual({ reason: 'refused', exitCode: 1 })
  expect(scene.terminal.out.toString()).toBe('')
})

const FORWARDING = { sessionType: 'Port', properties: { type: 'LocalPortForwarding', portNumber: '1' } }

test.each([
  [FORWARDING, 'Port: use sallyport forward'],
  [{ sessionType: 'Port', properties: { portNumber: '22' } }, 'Port: use sallyport ssh-proxy'],
  [{ sessionType: 'NonInteractiveCommands' }, 'NonInteractiveCommands: use sallyport exec'],
  [{ sessionType: 'Frob\x1bnicate' }, 'Frob?nicate, which this client cannot run'],
])('a document for another command ends the session, and nothing was begun: %j', async (options, type) => {
  const scene = new SessionScene([shellKind], { ...options, interactive: true }, wrongDocument('Ours'))
  expect(scene.terminal.raw).toBe(false)
  // The answer may get lost in the end.
  void scene.shakeHands()
  expect(await scene.ended).toEqual({ reason: `Document Ours opens a session of type ${type}.`, exitCode: 2 })
  expect(scene.terminated).toBe(1)
  expect(scene.terminal.notices).toEqual([])
  expect(scene.terminal.raw).toBe(false)
})

test('so does a shell that begins without a handshake, where ports were to be forwarded', async () => {
  const face = { signals: [], listen: () => Promise.reject(new Error('asked')), opened: () => {} }
  const scene = new SessionScene([portKind(face)], {}, wrongDocument('Ours'))
  scene.agent.send(PayloadType.output, utf8('sh$ '))
  expect(await scene.ended).toEqual({
    reason: 'Document Ours opens a session of type Standard_Stream: use sallyport connect.',
    exitCode: 2,
  })
  expect(scene.terminal.out.toString()).toBe('')
})

test('a connection that is lost for longer than a blink is told in words', async () => {
  const scene = new SessionScene([shellKind], { ...SHELL, interactive: true })
  await scene.shakeHands()
  scene.serverIsGone = true
  scene.cut('client')
  await scene.terminal.untilNotice()
  expect(scene.terminal.notices).toEqual([
    '[Connection to the server lost. Reconnecting … (Enter ~. to give up)]',
  ])
  scene.terminal.events.emit('input', utf8('\r~.'))
  await scene.ended
})
