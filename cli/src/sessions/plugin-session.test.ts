import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { utf8 } from '@sallyport/protocol/bytes'
import { PayloadType } from '@sallyport/protocol/message-types'
import { expect, test } from 'vitest'
import { type AskedFor, pluginKinds } from './plugin-session.ts'
import { type SceneOptions, SessionScene } from './session-scene.ts'

function setUp(options: SceneOptions & { isShell?: boolean; asked?: AskedFor } = {}) {
  let out = ''
  const kinds = pluginKinds({
    isShell: options.isShell ?? false,
    asked: options.asked ?? { parameters: {} },
    announce: () => {
      out += 'Starting session\n'
    },
    out: text => {
      out += text
    },
  })
  const scene = new SessionScene(kinds, options)
  const untilOut = async (pattern: RegExp): Promise<RegExpExecArray> => {
    await expect.poll(() => out).toMatch(pattern)
    return pattern.exec(out) as RegExpExecArray
  }
  return { scene, out: () => out, untilOut }
}

const forwarding = (localPortNumber: string) => ({
  properties: { portNumber: '80', type: 'LocalPortForwarding', localPortNumber },
})

test('a shell without a document is one from the start: announced and raw before the node says anything', async () => {
  const { scene, out } = setUp({ isShell: true, interactive: true })
  expect(scene.terminal.raw).toBe(true)
  expect(out()).toBe('Starting session\n')
  scene.close('')
  await scene.ended
})

test('one with a document is announced and raw once the node says that it is one', async () => {
  const { scene, out } = setUp({ sessionType: 'InteractiveCommands', interactive: true })
  expect(scene.terminal.raw).toBe(false)
  expect(out()).toBe('')
  await scene.shakeHands()
  expect(scene.terminal.raw).toBe(true)
  expect(out()).toBe('Starting session\n')
  scene.close('')
  await scene.ended
})

test('so is one that begins with output, and no handshake', async () => {
  const { scene, out } = setUp({ interactive: true })
  scene.agent.send(PayloadType.output, utf8('sh$ '))
  expect(await scene.terminal.untilOut(4)).toBe('sh$ ')
  expect(scene.terminal.raw).toBe(true)
  expect(out()).toBe('Starting session\n')
  scene.close('')
  await scene.ended
})

test('a port session has AWS’s lines, and its end by Ctrl-C', async () => {
  const { scene, untilOut, out } = setUp(forwarding('0'))
  await scene.shakeHands()
  const [, port] = await untilOut(
    /^Starting session\nPort (\d+) opened for sessionId s-1\.\nWaiting for connections\.\.\.\n$/,
  )
  const socket = connect(Number(port), 'localhost').on('error', () => {})
  await once(socket, 'connect')
  await untilOut(/\nConnection accepted for session \[s-1\]\n$/)
  scene.signal('SIGTSTP')
  expect(await scene.ended).toEqual({ reason: '', exitCode: 0 })
  expect(out()).toMatch(/\nTerminate signal received, exiting\.\n$/)
  socket.destroy()
})

test.each([
  ['-1', 'localPortNumber of the session document is no port.'],
  ['http', 'localPortNumber of the session document is no port.'],
])('a local port of %s ends the session', async (port, reason) => {
  const { scene } = setUp(forwarding(port))
  await scene.shakeHands()
  expect(await scene.ended).toEqual({ reason, exitCode: 1 })
  expect(scene.terminated).toBe(1)
})

test('a busy local port ends the session with the reason', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const { scene } = setUp(forwarding(String(port)))
  await scene.shakeHands()
  expect(await scene.ended).toMatchObject({
    reason: expect.stringContaining(`port ${port} is in use`),
    exitCode: 1,
  })
  server.close()
})

test.each<[string, AskedFor]>([
  ['the port', { documentName: 'Own', parameters: { localPortNumber: ['0'] } }],
  ['AWS’s document', { documentName: 'AWS-StartPortForwardingSession', parameters: {} }],
])('the node cannot choose another local end than the person: %s', async (_, asked) => {
  const elsewhere = { localConnectionType: 'unix', localUnixSocket: '/nonexistent/x', localPortNumber: '1' }
  const properties = { ...forwarding('1').properties, ...elsewhere }
  const { scene, untilOut } = setUp({ properties, asked })
  await scene.shakeHands()
  await untilOut(/Port [1-9]\d+ opened/)
  scene.signal('SIGINT')
  await scene.ended
})

test.each([
  ['AWS-StartSSHSession', forwarding('0')],
  ['AWS-StartPortForwardingSession', { sessionType: 'NonInteractiveCommands' }],
  ['AWS-StartNonInteractiveCommand', forwarding('0')],
])('the node cannot make another kind of session of %s', async (documentName, options) => {
  const { scene, out } = setUp({ ...options, asked: { documentName, parameters: {} } })
  await scene.shakeHands()
  expect(scene.clientProblem).toContain('this client cannot run sessions of type')
  expect(out()).toBe('')
  scene.close('refused')
  expect(await scene.ended).toMatchObject({ reason: 'refused' })
})

test('a raw session says nothing of its own', async () => {
  const { scene, out } = setUp({ properties: { portNumber: '22' } })
  await scene.shakeHands()
  scene.agent.send(PayloadType.output, utf8('SSH-2.0'))
  expect(await scene.terminal.untilOut(7)).toBe('SSH-2.0')
  expect(out()).toBe('')
  scene.close('')
  await scene.ended
})
