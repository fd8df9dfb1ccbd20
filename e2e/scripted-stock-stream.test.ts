import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { logLines } from './hostile-peer.ts'
import { type Ends, ScriptedScene } from './scripted-scene.ts'
import { ScriptedStockPlugin } from './scripted-stock-plugin.ts'
import { STOCK_PAYLOAD } from './scripted-stream.ts'

// What stock programs lose, repeat and never say again, and what the gateway makes of it (data-plane.md 16.3, 19).

const MESSAGES = 300
/** data-plane.md 19.8: so long a multiplexed plugin needs for itself after its handshake. */
const PLUGIN_SETUP_MS = 50

/** data-plane.md 12.1: the agent waits for 15 s. */
const LATE_MS = 15_500

let scene: ScriptedScene

beforeAll(async () => {
  scene = await ScriptedScene.open()
})

afterAll(() => scene?.[Symbol.asyncDispose]())

async function lost(role: 'agent' | 'client', sessionId: string): Promise<void> {
  await expect
    .poll(() => logLines(scene.stack, sessionId, `"role":"${role}"`, 'data channel lost').length)
    .toBeGreaterThan(0)
}

function output(number: number): string {
  return `line ${number} ${'.'.repeat(STOCK_PAYLOAD - 20)}\n`
}

const lines = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => output(from + index))

describe('acknowledgements', () => {
  test('one that was lost on its way to the agent is given again by the gateway', async () => {
    const { worker, plugin } = await scene.shell()
    // The agent reads nothing any more, and then its connection is gone.
    worker.deafen()
    for (const line of lines(0, 20)) worker.stream.send(1, line)
    await plugin.stream.until(({ delivered }) => delivered.length === 21)
    expect(worker.stream.unacknowledged).toBe(20)
    worker.drop()
    const seen = plugin.stream.frames.length
    await worker.connect()
    await worker.stream.until(({ unacknowledged }) => unacknowledged === 0)
    // A plugin says nothing to repetitions, so it is spared them.
    const repeated = plugin.stream.frames
      .slice(seen)
      .filter(frame => frame.messageType === 'output_stream_data')
    expect(repeated).toEqual([])
    await goesOn({ worker, plugin })
  })

  test('one that was lost before it came to the gateway is inferred, since the plugin reads on', async () => {
    const { worker, plugin } = await scene.shell()
    plugin.stream.mute = true
    worker.stream.send(1, 'one\n')
    await plugin.stream.until(({ text }) => text.endsWith('one\n'))
    plugin.stream.mute = false
    worker.stream.send(1, 'two\n')
    await plugin.stream.until(({ text }) => text.endsWith('two\n'))
    await worker.stream.until(({ unacknowledged }) => unacknowledged === 0, 15_000)
    expect(worker.stream.repetitions).toBeGreaterThan(3)
    await goesOn({ worker, plugin })
  })

  test('those that a plugin got before the server was killed are inferred too', async () => {
    const { worker, plugin, sessionId } = await scene.shell()
    worker.deafen()
    worker.stream.send(1, 'one\n')
    await plugin.stream.until(({ text }) => text.endsWith('one\n'))
    await scene.stack.server.kill('SIGKILL')
    await scene.stack.startServer()
    await scene.agent.openControlChannel()
    await Promise.all([worker.connect(), plugin.resume()])
    worker.stream.send(1, 'two\n')
    await worker.stream.until(({ unacknowledged }) => unacknowledged === 0, 20_000)
    expect(plugin.stream.text).toBe('$ one\ntwo\n')
    await goesOn({ worker, plugin })
    expect(sessionId).toBe(plugin.sessionId)
  })
})

/** Both directions still work. */
async function goesOn({ worker, plugin }: Pick<Ends, 'worker' | 'plugin'>): Promise<void> {
  plugin.type('still here\n')
  await worker.stream.until(({ text }) => text.endsWith('still here\n'))
  worker.stream.send(1, 'so am I\n')
  await plugin.stream.until(({ text }) => text.endsWith('so am I\n'))
}

describe('an end that is away', () => {
  test('the plugin: the agent is told to pause, hears nothing after that, and nothing has to be sent twice', async () => {
    const { worker, plugin, sessionId } = await scene.shell()
    plugin.drop()
    await worker.stream.until(({ paused }) => paused)
    const heard = worker.stream.frames.length
    // An agent numbers and keeps what it may not send; what it had sent already waits at the gateway.
    worker.stream.paused = false
    for (const line of lines(0, MESSAGES)) worker.stream.send(1, line)
    worker.stream.paused = true
    await lost('client', sessionId)
    expect(worker.stream.frames.slice(heard)).toEqual([])
    await plugin.resume()
    await plugin.stream.until(({ text }) => text === `$ ${lines(0, MESSAGES).join('')}`)
    await worker.stream.until(({ unacknowledged, paused }) => unacknowledged === 0 && !paused)
    expect(worker.stream.repetitions).toBeLessThan(10)
    await goesOn({ worker, plugin })
  })

  test('the agent: what is typed waits for it, in order', async () => {
    const { worker, plugin, sessionId } = await scene.shell()
    worker.drop()
    await lost('agent', sessionId)
    await plugin.stream.until(({ frames }) => frames.at(-1)?.messageType === 'pause_publication')
    plugin.type('first\n')
    plugin.type('second\n')
    await worker.connect()
    await worker.stream.until(({ text }) => text === 'first\nsecond\n')
    await goesOn({ worker, plugin })
  })

  test('the client resumes over the same URL with its new token; the former one is of no use', async () => {
    const session = await scene.startSession()
    const worker = await scene.agent.serve()
    const plugin = await ScriptedStockPlugin.open(scene.stack, session)
    worker.stream.send(1, '$ ')
    await plugin.stream.until(({ text }) => text === '$ ')
    plugin.drop()
    await plugin.resume()
    await goesOn({ worker, plugin })
    const late = await ScriptedStockPlugin.open(scene.stack, session)
    await late.closed
    await goesOn({ worker, plugin })
  })
})

describe('a multiplexed port', () => {
  const FORWARDING = 'AWS-StartPortForwardingSession'
  const parameters = { portNumber: ['80'], localPortNumber: ['0'] }
  const SYN = Buffer.from('0100000003000000', 'hex')
  const FIN = Buffer.from('0101000003000000', 'hex')

  test('streams cross message borders; Ctrl-C ends it, though the agent says no more than that it is complete', async () => {
    const { worker, plugin, sessionId } = await scene.pair(FORWARDING, parameters)
    const [request, answer] = await Promise.all([plugin.handshake(), worker.handshake('agent-port', 80)])
    expect(request).toMatchObject({ AgentVersion: '3.3.0.0' })
    expect(answer).toMatchObject({ ClientVersion: '1.2.0.0' })
    plugin.stream.send(1, SYN)
    plugin.stream.send(1, Buffer.concat([Buffer.from('0102020003', 'hex')]))
    plugin.stream.send(1, Buffer.concat([Buffer.from('000000', 'hex'), Buffer.from('hi'), FIN]))
    await worker.stream.until(({ text }) => text.includes('hi'))
    worker.stream.send(10, Buffer.from('00000003', 'hex'))
    worker.stream.send(1, FIN)
    await plugin.stream.until(({ delivered }) => delivered.at(-1)?.payload.equals(FIN) === true)
    plugin.terminate()
    await worker.stream.until(({ delivered }) => delivered.at(-1)?.payloadType === 10)
    worker.drop()
    expect(await scene.agent.complete('agent-port', sessionId)).toEqual([{ transmissions: 1 }])
    expect(await plugin.ended).toBe('')
    await expect.poll(() => scene.statusOf(sessionId)).toBe('Terminated')
  })

  test('nothing hits a plugin that sets itself up after its handshake', async () => {
    const { worker, plugin } = await scene.pair(FORWARDING, parameters)
    const answered = plugin.handshake()
    await worker.handshake('agent-port', 80)
    worker.stream.send(1, SYN)
    await answered
    await plugin.stream.until(({ delivered }) => delivered.at(-1)?.payloadType === 1)
    const complete = plugin.stream.frames.find(({ payloadType }) => payloadType === 7)
    const after = plugin.stream.frames.slice(
      plugin.stream.frames.findIndex(({ payloadType }) => payloadType === 7) + 1,
    )
    const gaps = after.map(frame => frame.at - (complete?.at ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(PLUGIN_SETUP_MS - 5)
  })

  test('an answer to a handshake that nobody waits for any more is not given to the agent', {
    timeout: 40_000,
  }, async () => {
    const { worker, plugin } = await scene.pair(FORWARDING, parameters)
    const asked = worker.handshake('agent-port', 80).catch((error: Error) => error)
    await plugin.stream.until(({ delivered }) => delivered.some(({ payloadType }) => payloadType === 5))
    const ended = plugin.ended
    const late = setTimeout(() => void plugin.handshake().catch(() => undefined), LATE_MS)
    expect(await ended).toMatch(/[Hh]andshake/)
    clearTimeout(late)
    expect(await asked).toBeInstanceOf(Error)
    expect(worker.stream.delivered.filter(frame => frame.payloadType === 6)).toEqual([])
  })
})
