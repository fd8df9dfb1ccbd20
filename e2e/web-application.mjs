// A web application such as people run on their nodes: pages, uploads, server-sent events, websockets. Its arguments
// are the ports that it listens on.
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'

const listeners = new Set()

async function answer(request, response) {
  if (request.url === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: welcome\n\n')
    listeners.add(response)
    request.on('close', () => listeners.delete(response))
    return
  }
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const body = Buffer.concat(chunks)
  if (request.url === '/build') {
    for (const listener of listeners) listener.write(`data: ${body}\n\n`)
    response.end()
  } else if (request.url === '/digest') {
    response.end(createHash('sha256').update(body).digest('hex'))
  } else {
    response.end(`<title>Dashboard of port ${request.socket.localPort}</title>`)
  }
}

/** A websocket that gives back what it gets, for messages of less than 126 bytes, each in one piece (RFC 6455 5.2). */
function upgrade(request, socket) {
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
  const accept = createHash('sha1').update(key).digest('base64')
  const headers = ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`]
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${headers.join('\r\n')}\r\n\r\n`)
  socket.on('data', frame => {
    const [mask, masked] = [frame.subarray(2, 6), frame.subarray(6)]
    const message = masked.map((byte, i) => byte ^ mask[i % 4])
    socket.write(Buffer.from([frame[0], message.length, ...message]))
  })
  socket.on('end', () => socket.end())
}

for (const port of process.argv.slice(2)) {
  const server = createServer(answer).on('upgrade', upgrade)
  server.listen(Number(port), '0.0.0.0', () => console.log(`listening on ${port}`))
}
