// A server for tunnels to end at, in a process of its own. Prints its port. A request is one line: `down <bytes>` is
// answered with so many bytes, `up <bytes>` with a line when so many have come, anything else with itself.
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'

const CHUNK = Buffer.alloc(256 * 1024, 'x')

const server = createServer({ noDelay: true }, socket => {
  socket.on('error', () => socket.destroy())
  void serve(socket)
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') console.log(address.port)
})
// Ends with whoever started it.
process.stdin.resume().on('end', () => process.exit(0))

async function serve(socket: Socket): Promise<void> {
  const [first] = (await once(socket, 'data')) as [Buffer]
  const line = first.indexOf(0x0a)
  const [request = '', amount = '0'] = first.subarray(0, line).toString().split(' ')
  if (request === 'down') send(socket, Number(amount))
  else if (request === 'up') count(socket, Number(amount), first.length - line - 1)
  else {
    socket.write(first)
    socket.pipe(socket)
  }
}

function send(socket: Socket, bytes: number): void {
  let left = bytes
  const go = () => {
    while (left > 0) {
      const chunk = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK
      left -= chunk.length
      if (!socket.write(chunk)) return void socket.once('drain', go)
    }
    socket.end()
  }
  go()
}

function count(socket: Socket, bytes: number, already: number): void {
  let had = already
  socket.on('data', chunk => {
    had += chunk.length
    if (had >= bytes) socket.end('done\n')
  })
}
