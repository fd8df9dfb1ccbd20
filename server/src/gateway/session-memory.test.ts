import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { dialWebSocket, WEBSOCKET_OPTIONS, wrapWebSocket } from '@sallyport/protocol/transport/node'
import { nodeClock } from '@sallyport/protocol/transport/node-clock'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import type { Connection } from '@sallyport/protocol/transport/transport'
import { expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import type { Role } from './half.ts'
import { Relay } from './relay.ts'
import { HALF_LIMIT, MAXIMUM_DATA_FRAME, SESSION_MEMORY_LIMIT, SOCKET_LIMIT } from './session-memory.ts'
import { decode, output } from './testing.ts'

const KIBIBYTE = 1024

test('the parts of the bound are no more than the whole', () => {
  const fromPeer = MAXIMUM_DATA_FRAME + 256 * 350 + 2 * 64 * KIBIBYTE
  // A socket's frames are there once more, encrypted, and each of the smallest has two buffers and their callbacks.
  const inSocket = 2 * (SOCKET_LIMIT + MAXIMUM_DATA_FRAME) + (SOCKET_LIMIT / 124) * 500
  const inQueue = HALF_LIMIT - SOCKET_LIMIT - MAXIMUM_DATA_FRAME
  const remembered = 80 * KIBIBYTE + 2 * 30 * KIBIBYTE
  expect(2 * (fromPeer + inSocket + inQueue) + remembered).toBeLessThanOrEqual(SESSION_MEMORY_LIMIT)
})

/** A relay between real sockets. */
async function startRelay() {
  const relay = new Relay({
    sessionId: 's',
    nodeId: 'mi-0123456789abcdef0',
    sessionType: 'Standard_Stream',
    crypto: nodeCrypto,
    clock: nodeClock,
    pingEvery: 60_000,
    pongTimeout: 60_000,
    agreed: true,
    onActivity: () => {},
    onPresence: () => {},
    onAgentState: () => {},
    onAgreed: () => {},
    onLateAnswer: () => {},
    onViolation: (role, error) => expect.unreachable(`${role}: ${error.message}`),
    onUnknown: () => {},
  })
  const websockets = new WebSocketServer({ noServer: true, ...WEBSOCKET_OPTIONS })
  const server = createServer()
  server.on('upgrade', (request, socket, head) => {
    websockets.handleUpgrade(request, socket, head, ws =>
      relay.attach(request.url === '/agent' ? 'agent' : 'client', wrapWebSocket(ws, socket as Socket)),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const dial = async (role: Role) => await dialWebSocket(`ws://127.0.0.1:${port}/${role}`)
  const close = () => {
    relay.dispose('over')
    server.close()
  }
  return { relay, dial, close }
}

/** What a connection receives, by sequence number; `until` waits for so many. */
function count(connection: Connection) {
  const numbers: number[] = []
  let check: () => void = () => {}
  connection.events = {
    message: data => {
      const { messageType, sequenceNumber } = decode(data)
      if (messageType === 'output_stream_data') numbers.push(sequenceNumber)
      check()
    },
    drain: () => {},
    pong: () => {},
    close: () => {},
  }
  const until = async (total: number) => {
    while (numbers.length < total) {
      await new Promise<void>(resolve => {
        check = resolve
      })
    }
  }
  return { numbers, until }
}

for (const [size, frames] of [
  [64 * KIBIBYTE, 600],
  [1, 120_000],
] as const) {
  test(`a client that reads nothing costs its bound, and misses nothing later: payloads of ${size} bytes`, async () => {
    const { relay, dial, close } = await startRelay()
    try {
      const [client, agent] = [await dial('client'), await dial('agent')]
      const { numbers, until } = count(client)
      agent.send(output(0))
      await until(1)
      client.pause()
      const text = 'x'.repeat(size)
      for (let i = 1; i < frames; i++) agent.send(output(i, text))
      // The kernel's buffers take some megabytes; then nothing moves any more.
      let most = 0
      let left = -1
      await expect
        .poll(
          () => {
            most = Math.max(most, relay.bufferedBytes)
            const stands = agent.bufferedBytes === left && left > 0 && relay.bufferedBytes > SOCKET_LIMIT
            left = agent.bufferedBytes
            return stands
          },
          { interval: 100, timeout: 20_000 },
        )
        .toBe(true)
      expect(most).toBeLessThanOrEqual(HALF_LIMIT)
      client.resume()
      await until(frames)
      expect(numbers).toEqual(Array.from({ length: frames }, (_, i) => i))
    } finally {
      close()
    }
  }, 30_000)
}
