import { EventEmitter, once } from 'node:events'
import { connect } from 'node:net'
import type { Encoded } from '@sallyport/protocol/aws/json'
import { expect, test } from 'vitest'
import type { ApiRequest } from './api/request.ts'
import { Server, type ServerParts } from './server.ts'

const LOOPBACK = { host: '127.0.0.1', port: 0 }

/** A server whose only operation waits until nobody waits for its answer. */
async function patientServer() {
  const events = new EventEmitter()
  const handle = async (request: ApiRequest): Promise<Encoded> => {
    events.emit('asked', request)
    await once(request.gone, 'abort')
    events.emit('left')
    return { status: 200, headers: {}, body: new Uint8Array(0) }
  }
  const parts = { dispatch: { handle }, certificates: { options: () => ({}) }, publicUrl: undefined }
  const server = new Server(parts as unknown as ServerParts)
  const { http } = await server.listen(LOOPBACK, LOOPBACK)
  const [wasAsked, left] = [once(events, 'asked'), once(events, 'left')]
  const socket = connect(http?.port ?? 0, LOOPBACK.host)
  socket.on('error', () => {})
  socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}')
  const [asked] = (await wasAsked) as [ApiRequest]
  return { server, socket, asked, left }
}

test('an operation learns that its caller has gone', async () => {
  const { server, socket, asked, left } = await patientServer()
  expect(asked.gone.aborted).toBe(false)
  socket.destroy()
  await left
  await server.close()
})

test('no operation keeps the server from stopping', async () => {
  const { server, left } = await patientServer()
  await Promise.all([server.close(), left])
})
