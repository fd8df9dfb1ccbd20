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
  server.serve()
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

test('what is asked before the server is ready is answered when it is', async () => {
  const server = new Server({ certificates: { options: () => ({}) } } as unknown as ServerParts)
  const { http } = await server.listen(LOOPBACK, LOOPBACK)
  const ask = async (text: string) => {
    const socket = connect(http?.port ?? 0, LOOPBACK.host)
    await once(socket, 'connect')
    socket.write(text)
    return socket
  }
  const early = await ask('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
  let answer = ''
  early.on('data', data => {
    answer += data
  })
  // By the time this one is refused, the question before it has come too.
  await once(await ask('GARBAGE\r\n\r\n'), 'close')
  expect(answer).toBe('')
  server.serve()
  if (answer === '') await once(early, 'data')
  expect(answer).toMatch(/^HTTP\/1.1 200 /)
  await server.close()
})
