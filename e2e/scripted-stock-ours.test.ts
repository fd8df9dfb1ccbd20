import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aws2, openSession, RemoteShell } from './remote-shell.ts'
import { recordedFrame } from './scripted-frames.ts'
import { ScriptedScene } from './scripted-scene.ts'
import { ScriptedStockPlugin } from './scripted-stock-plugin.ts'
import { STOCK_PAYLOAD } from './scripted-stream.ts'
import { dial, serveTcp } from './tcp-servers.ts'

// Our agent before a stock plugin, and our plugin before a stock agent: what they must put up with, and what they
// must not do to it (data-plane.md 10, 12, 15, 19).

const CTRL_C = '\x03'
const EXPERIMENT = 5

let scene: ScriptedScene
/** A node with our own agent. */
let ours: string

beforeAll(async () => {
  scene = await ScriptedScene.open()
  ours = (await scene.stack.addNode('ours')).id
})

afterAll(() => scene?.[Symbol.asyncDispose]())

describe('our agent, before a stock plugin', () => {
  const answer = () => recordedFrame('plugin-own-agent', /"payloadType":6/)

  async function shell(): Promise<ScriptedStockPlugin> {
    const plugin = await ScriptedStockPlugin.open(
      scene.stack,
      await scene.startSession(undefined, undefined, ours),
    )
    const request = await plugin.handshake(answer())
    expect(request).toMatchObject({
      RequestedClientActions: [{ ActionType: 'SessionType' }, { ActionType: 'Sallyport/1' }],
    })
    plugin.size()
    await plugin.stream.until(({ text }) => /[$#] $/.test(text))
    return plugin
  }

  test('takes status 0 for a no, and then is a stock agent: small messages, an acknowledgement for each', async () => {
    await using plugin = await shell()
    plugin.type('seq 1 2000; echo at the $((1 + 1))nd\n')
    await plugin.stream.until(({ text }) => text.includes('at the 2nd'))
    const sizes = plugin.stream.frames.map(({ payload }) => payload.length)
    // Three bytes of a character that was cut may come on top (data-plane.md 10.6).
    expect(Math.max(...sizes)).toBeLessThanOrEqual(STOCK_PAYLOAD + 3)
    await plugin.stream.until(({ unacknowledged }) => unacknowledged === 0)
    const acknowledgements = plugin.stream.frames.filter(({ messageType }) => messageType === 'acknowledge')
    const members = [
      'AcknowledgedMessageType',
      'AcknowledgedMessageId',
      'AcknowledgedMessageSequenceNumber',
      'IsSequentialMessage',
    ]
    for (const { payload } of acknowledgements)
      expect(Object.keys(JSON.parse(String(payload)))).toEqual(members)
    expect(acknowledgements).toHaveLength(EXPERIMENT - 2)
  })

  test('acknowledges a repetition again, since the plugin would repeat it for ever', async () => {
    await using plugin = await shell()
    await plugin.stream.until(({ unacknowledged }) => unacknowledged === 0)
    plugin.stream.loseAcknowledgements = true
    plugin.type('echo once $((1 + 1))\n')
    await plugin.stream.until(({ repetitions }) => repetitions >= EXPERIMENT)
    plugin.stream.loseAcknowledgements = false
    await plugin.stream.until(({ unacknowledged }) => unacknowledged === 0)
    expect(plugin.stream.text.match(/once 2/g)).toHaveLength(1)
  })

  test('ends when its shell does, and the plugin is told so', async () => {
    await using plugin = await shell()
    plugin.type('exit\n')
    expect(await plugin.ended).toBe('')
  })

  test('forwards a port in the first version of smux, and ends with the flag of Ctrl-C', async () => {
    await using echo = await serveTcp(socket => void socket.pipe(socket))
    const parameters = { portNumber: [String(echo.port)], localPortNumber: ['0'] }
    const session = await scene.startSession('AWS-StartPortForwardingSession', parameters, ours)
    await using plugin = await ScriptedStockPlugin.open(scene.stack, session)
    await plugin.handshake(answer())
    plugin.stream.send(1, Buffer.from('0100000003000000' + '0102060003000000' + '68656c6c6f0a', 'hex'))
    await plugin.stream.until(({ delivered }) => bytesOf(delivered).includes('hello\n'))
    expect(bytesOf(plugin.stream.delivered).toString('hex')).toBe(
      `0102060003000000${Buffer.from('hello\n').toString('hex')}`,
    )
    plugin.terminate()
    expect(await plugin.ended).toBe('')
    await expect.poll(() => scene.statusOf(session.SessionId)).toBe('Terminated')
  })

  test('says which connection it could not make, and goes on', async () => {
    const parameters = { portNumber: ['1'], localPortNumber: ['0'] }
    const session = await scene.startSession('AWS-StartPortForwardingSession', parameters, ours)
    await using plugin = await ScriptedStockPlugin.open(scene.stack, session)
    await plugin.handshake(answer())
    plugin.stream.send(1, Buffer.from('0100000003000000', 'hex'))
    await plugin.stream.until(({ delivered }) => delivered.some(({ payloadType }) => payloadType === 10))
    const flag = plugin.stream.delivered.find(({ payloadType }) => payloadType === 10)
    expect(flag?.payload.toString('hex')).toBe('00000003')
    await plugin.stream.until(({ delivered }) =>
      bytesOf(delivered).includes(Buffer.from('0101000003000000', 'hex')),
    )
  })
})

function bytesOf(delivered: ReadonlyArray<{ payloadType: number; payload: Buffer }>): Buffer {
  return Buffer.concat(delivered.filter(({ payloadType }) => payloadType === 1).map(({ payload }) => payload))
}

describe('our plugin, before a stock agent', () => {
  const open = (args: string[] = []) => openSession(scene.stack, ['--target', scene.agent.nodeId, ...args])

  test('a shell without a handshake: it guesses, takes keys, and ends when it is told to', async () => {
    await using shell = open()
    const worker = await scene.agent.serve()
    worker.stream.send(1, '$ ')
    await shell.terminal.waitFor('Starting session with SessionId')
    await shell.terminal.waitFor('$ ')
    await shell.type(`date${CTRL_C}`)
    await worker.stream.until(({ text }) => text === `date${CTRL_C}`)
    expect(worker.stream.delivered[0]).toMatchObject({ payloadType: 3 })
    worker.state('Terminating')
    await scene.agent.complete('agent-shell', worker.sessionId)
    expect(await shell.ended()).toMatchObject({ status: 0, restored: true })
    expect(shell.terminal.output()).toContain(`Exiting session with sessionId: ${worker.sessionId}.`)
  })

  test('acknowledges what is repeated to it, so that the agent comes to the rest of its list', async () => {
    await using shell = open()
    const worker = await scene.agent.serve()
    worker.stream.loseAcknowledgements = true
    worker.stream.send(1, '$ ')
    await worker.stream.until(({ repetitions }) => repetitions >= EXPERIMENT)
    worker.stream.loseAcknowledgements = false
    await worker.stream.until(({ unacknowledged }) => unacknowledged === 0)
    worker.stream.send(1, 'end')
    await shell.terminal.waitFor('$ end')
    expect(shell.terminal.output().match(/\$ /g)).toHaveLength(1)
  })

  test('a forwarded port: the lines that tools wait for, every byte as it is, and Ctrl-C', async () => {
    const parameters = ['--parameters', 'portNumber=80,localPortNumber=0']
    await using session = open(['--document-name', 'AWS-StartPortForwardingSession', ...parameters])
    const worker = await scene.agent.serve()
    const answer = await worker.handshake('agent-port', 80)
    expect(answer).toEqual({
      ClientVersion: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/),
      ProcessedClientActions: [{ ActionType: 'SessionType', ActionStatus: 1, ActionResult: null, Error: '' }],
      Errors: null,
    })
    const [, port] = await session.terminal.waitFor(/Port (\d+) opened for sessionId [\w.@=+-]+\./)
    await session.terminal.waitFor('Waiting for connections...')
    const client = await dial({ host: 'localhost', port: Number(port) })
    await session.terminal.waitFor('Connection accepted for session')
    client.write('\n')
    // The stock plugin makes a carriage return of a single line feed (data-plane.md 19.11).
    const frame = Buffer.from('0102010003000000' + '0a', 'hex')
    await worker.stream.until(({ delivered }) => bytesOf(delivered).includes(frame))
    worker.stream.send(1, Buffer.from('0102020003000000' + '0a0a', 'hex'))
    const [data] = (await once(client, 'data')) as [Buffer]
    expect(data.toString('hex')).toBe('0a0a')

    worker.stream.send(10, Buffer.from('00000003', 'hex'))
    worker.stream.send(1, Buffer.from('0101000003000000', 'hex'))
    await once(client, 'end')
    client.destroy()
    await session.terminal.waitFor('cannot connect')
    await session.type(CTRL_C)
    await worker.stream.until(({ delivered }) => delivered.at(-1)?.payloadType === 10)
    expect(worker.stream.delivered.at(-1)?.payload.toString('hex')).toBe('00000002')
    await scene.agent.complete('agent-port', worker.sessionId)
    await session.ended()
  })

  test('a command without a terminal', async () => {
    const call = [
      'ssm',
      'start-session',
      '--target',
      scene.agent.nodeId,
      '--endpoint-url',
      scene.stack.endpoint,
    ]
    const command = ['--document-name', 'AWS-StartNonInteractiveCommand', '--parameters', 'command=true']
    await using session = new RemoteShell(scene.stack, [aws2, ...call, ...command], {})
    const worker = await scene.agent.serve()
    await worker.handshake('agent-command')
    worker.stream.send(1, 'out\n')
    await session.terminal.waitFor('out')
    worker.state('Terminating')
    await scene.agent.complete('agent-command', worker.sessionId)
    expect((await session.ended()).status).toBe(0)
  })

  test('a session that fails is told of, and is a failure', async () => {
    await using session = open()
    const worker = await scene.agent.serve()
    await scene.agent.complete('agent-failure', worker.sessionId)
    const { said, status } = await session.ended()
    expect(said).toContain('Forwarding to IP address 169.254.169.254 is forbidden')
    expect(status).not.toBe(0)
  })
})
