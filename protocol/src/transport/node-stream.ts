import type { Socket } from 'node:net'
import type { SmuxStream } from '../smux/stream.ts'

export type JoinOptions = {
  /** The socket is closed and the stream over; with the error, if one closed the socket. */
  onClosed?: (error: Error | undefined) => void
}

/**
 * Carries bytes, ends and resets between a stream and a socket, both ways, until both are over. The socket must
 * be made with `allowHalfOpen`, and may still be connecting. Sets `stream.events`.
 */
export function joinSocket(stream: SmuxStream, socket: Socket, options: JoinOptions = {}): void {
  let streamWaits = false
  let socketEnded = false
  let streamEnded = false
  let failure: Error | undefined
  const onWritten = () => {
    if (!streamWaits || socket.writableLength > 0) return
    streamWaits = false
    stream.resume()
  }

  // What comes out of a tunnel is cut as it was written; nothing is gained by waiting for more.
  socket.setNoDelay(true)
  socket.on('data', chunk => {
    if (!stream.write(chunk)) socket.pause()
  })
  socket.on('end', () => {
    socketEnded = true
    stream.end()
  })
  socket.on('error', error => {
    failure = error
    stream.reset(error.message)
  })
  socket.on('close', () => {
    if (!socketEnded || !streamEnded) stream.reset(failure?.message ?? 'the connection was closed')
    options.onClosed?.(failure)
  })

  stream.events = {
    data(chunk) {
      // One chunk at most waits in the socket: all others are counted, and bounded, by the stream.
      socket.write(chunk, onWritten)
      streamWaits = socket.writableLength > 0
      return !streamWaits
    },
    end() {
      streamEnded = true
      // In version 1 the peer takes no more either, and the socket's end would never be told to anybody.
      if (stream.open) socket.end()
      else socket.destroySoon()
    },
    reset() {
      resetSocket(socket)
    },
    writable() {
      socket.resume()
    },
  }
}

/** Resets the connection; one that is not there yet, or not of TCP, knows no reset and is closed. */
export function resetSocket(socket: Socket): void {
  if (socket.connecting || socket.remoteAddress === undefined) socket.destroy()
  else socket.resetAndDestroy()
}
