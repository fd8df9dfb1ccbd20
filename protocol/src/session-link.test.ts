import { describe, expect, test } from 'vitest'
import { decodeUtf8, utf8 } from './bytes.ts'
import { encodeChannelClosed } from './control-channel.ts'
import { ProtocolError } from './errors.ts'
import { limitsOf } from './handshake.ts'
import { ManualClock } from './manual-clock.ts'
import { decodeMessage, encodeMessage } from './message.ts'
import { MessageType, PayloadType } from './message-types.ts'
import { SessionGoneError, SessionLink, type SessionLinkOptions } from './session-link.ts'
import { MemoryLink } from './transport/memory.ts'
import { nodeCrypto } from './transport/node-crypto.ts'
import type { Connection } from './transport/transport.ts'

/** A server of the test's own: hands out connections, or refuses them. */
class Server {
  readonly clock: ManualClock
  readonly links: MemoryLink[] = []
  readonly dialledAt: number[] = []
  refusal: Error | undefined
  /** Takes the far end of each new connection. */
  onConnection: (connection: Connection) => void = () => {}

  constructor(clock: ManualClock) {
    this.clock = clock
  }

  get link(): MemoryLink {
    return this.links.at(-1) as MemoryLink
  }

  readonly dial = async (): Promise<Connection> => {
    this.dialledAt.push(this.clock.now())
    if (this.refusal !== undefined) throw this.refusal
    const link = new MemoryLink(this.clock)
    this.links.push(link)
    this.onConnection(link.ends[1])
    return link.ends[0]
  }
}

/** A link whose far end writes down what it gets; `log` has what its owner hears. */
function start(options: Partial<SessionLinkOptions> = {}) {
  const clock = new ManualClock()
  const server = new Server(clock)
  const log: string[] = []
  const got: string[] = []
  server.onConnection = connection => {
    connection.events = {
      message: data => {
        const message = decodeMessage(nodeCrypto, data)
        const isStream = message.messageType === MessageType.inputStreamData
        got.push(isStream ? `${message.sequenceNumber} ${decodeUtf8(message.payload)}` : message.messageType)
      },
      drain: () => {},
      pong: () => {},
      close: code => got.push(`close ${code}`),
    }
  }
  const link = new SessionLink({
    role: 'client',
    crypto: nodeCrypto,
    clock,
    dial: server.dial,
    giveUpAfter: 60_000,
    pingEvery: 10_000,
    deliver: (_, payload) => log.push(`got ${decodeUtf8(payload)}`) > 0,
    onClosed: closed => log.push(`closed ${closed.Output}`),
    onNotice: text => log.push(`notice ${text}`),
    onLink: state => log.push(state.up ? 'up' : `down: ${state.reason}`),
    onGone: reason => log.push(`gone: ${reason}`),
    ...options,
  })
  const say = (text: string, sequenceNumber = 0, payloadType: number = PayloadType.output) =>
    server.link.ends[1].send(
      encodeMessage(nodeCrypto, {
        messageType: MessageType.outputStreamData,
        createdDate: 1,
        sequenceNumber,
        flags: 0,
        messageId: '01234567-89ab-4cde-8f01-23456789abcd',
        payloadType,
        payload: utf8(text),
      }),
    )
  return { clock, server, link, log, got, say }
}

describe('acknowledging between our own', () => {
  const connected = async () => {
    const end = start()
    end.link.channel.agree(limitsOf({ payload: 65_536, window: 1_048_576 }))
    end.link.open()
    await end.clock.play(0)
    return end
  }

  test('a keystroke waits 20 ms for more, and then one acknowledgement stands for all', async () => {
    const { clock, got, say } = await connected()
    say('a', 0)
    await clock.play(10)
    say('b', 1)
    // The first took 1 ms to come, and the answer takes as long to go.
    await clock.play(11)
    expect(got).toEqual([])
    await clock.play(1)
    expect(got).toEqual(['acknowledge'])
    await clock.play(1_000)
    expect(got).toEqual(['acknowledge'])
  })

  test('an exit code does not wait', async () => {
    const { clock, got, say } = await connected()
    say('EXIT_CODE: 0', 0, PayloadType.exitCode)
    await clock.play(2)
    expect(got).toEqual(['acknowledge'])
  })

  test('no timer for it outlives the link', async () => {
    const { clock, link, say } = await connected()
    say('a', 0)
    await clock.play(2)
    link.close()
    await clock.play(2)
    expect(clock.pending).toBe(0)
  })
})

describe('dialling', () => {
  test('goes on with growing pauses while nobody answers, and ends with the last reason', async () => {
    const { clock, server, link, log } = start()
    server.refusal = new Error('connection refused')
    link.open()
    await clock.play(200_000)
    expect(log).toEqual(['gone: no connection for 60 s: connection refused'])
    expect(server.dialledAt.length).toBeGreaterThan(10)
    expect(server.dialledAt.length).toBeLessThan(80)
    expect(clock.pending).toBe(0)
  })

  test('stops at once when the session is over', async () => {
    const { clock, server, link, log } = start()
    server.refusal = new SessionGoneError('it was terminated')
    link.open()
    await clock.play(60_000)
    expect(log).toEqual(['gone: it was terminated'])
    expect(server.dialledAt.length).toBe(1)
    expect(clock.pending).toBe(0)
  })

  test('after a loss starts anew, and what was under way arrives', async () => {
    const { clock, server, link, log, got } = start()
    link.open()
    await clock.play(30_000)
    link.channel.send(PayloadType.output, utf8('a'))
    server.link.cut()
    link.channel.send(PayloadType.output, utf8('b'))
    await clock.play(100)
    expect(log).toEqual(['up', 'down: connection closed (1006)', 'up'])
    expect(got).toEqual(['close 1006', '0 a', '1 b'])
  })

  test('a server that closes what it accepts is not dialled in a loop, and given up in the end', async () => {
    const { clock, server, link, log } = start()
    server.onConnection = connection => connection.close(1_008, 'token refused')
    link.open()
    await clock.play(30_000)
    expect(server.dialledAt.length).toBeLessThan(60)
    await clock.play(60_000)
    expect(log.at(-1)).toBe('gone: no connection for 60 s: token refused')
    expect(clock.pending).toBe(0)
  })

  test('connections that carry something before they break are replaced at once, however many', async () => {
    const { clock, server, link, log, say } = start()
    link.open()
    for (let i = 0; i < 20; i++) {
      await clock.play(100)
      say('on', i)
      await clock.play(10)
      server.link.cut()
    }
    expect(log.filter(line => line === 'got on').length).toBe(20)
    expect(server.dialledAt.length).toBe(20)
  })

  test('a connection that was closed before it could be used is told as up and then down', async () => {
    const { clock, server, link, log } = start()
    server.onConnection = connection => {
      connection.terminate()
      server.refusal = new SessionGoneError('over')
    }
    const dial = server.dial
    const slow = start({
      dial: async () => {
        const connection = await dial()
        clock.advance(5)
        return connection
      },
    })
    slow.link.open()
    await slow.clock.play(1_000)
    expect(slow.log).toEqual(['up', 'down: connection closed (1006)', 'gone: over'])
    expect(log).toEqual([])
    link.close()
  })

  test('a dead path is noticed by silence', async () => {
    const { clock, server, link, log } = start()
    link.open()
    await clock.play(5_000)
    server.link.silence()
    await clock.play(20_000)
    expect(log).toEqual(['up', 'down: the connection went silent', 'up'])
  })
})

describe('what the peer says', () => {
  test('is handed over and acknowledged; a damaged frame costs the connection and no more', async () => {
    const { clock, server, link, log, got, say } = start()
    link.open()
    await clock.play(6_000)
    say('x')
    await clock.play(10)
    server.link.ends[1].send(
      utf8('{"message": "Internal server error, which is no frame at all"}'.padEnd(130)),
    )
    await clock.play(100)
    expect(log.slice(0, 3)).toEqual(['up', 'got x', expect.stringMatching(/^down: HeaderLength is/)])
    expect(log.at(-1)).toBe('up')
    expect(got).toEqual(['acknowledge', 'close 1002'])
    say('x')
    say('y', 1)
    await clock.play(10)
    expect(log.slice(4)).toEqual(['got y'])
  })

  test('that makes no sense ends the link: the next connection would only bring it again', async () => {
    const { clock, server, link, log, say } = start({
      deliver: () => {
        throw new ProtocolError('bad-payload', 'cols of Size is a string, not a number')
      },
    })
    link.open()
    await clock.play(6_000)
    say('x')
    await clock.play(60_000)
    expect(log).toEqual(['up', 'gone: cols of Size is a string, not a number'])
    expect(server.dialledAt.length).toBe(1)
    expect(clock.pending).toBe(0)
  })

  test('nothing, of all that it was sent, ends the link too; whoever sends hears of no error', async () => {
    const { clock, link, log, got } = start()
    link.open()
    await clock.play(10)
    for (let i = 0; i < 1_000; i++) link.channel.sendWhole(PayloadType.flag, new Uint8Array(1_000))
    expect(link.channel.bufferedBytes).toBeLessThan(3 * 256 * 1024)
    await clock.play(60_000)
    expect(log).toEqual(['up', expect.stringMatching(/^gone: the peer has not acknowledged \d+ bytes$/)])
    expect(got.at(-1)).not.toContain('close')
    expect(clock.pending).toBe(0)
  })

  test('early, before the dialler had passed the connection on, is not lost', async () => {
    const { clock, server, link, log, say } = start()
    const dial = server.dial
    const early = start({
      dial: async () => {
        const connection = await dial()
        say('early')
        clock.advance(5)
        return connection
      },
    })
    early.link.open()
    await early.clock.play(10)
    expect(early.log).toEqual(['up', 'got early'])
    expect(log).toEqual([])
    link.close()
  })

  test('the end of the session closes the link if its owner wants so', async () => {
    const { clock, server, link, log } = start({ onClosed: () => link.close() })
    link.open()
    await clock.play(10)
    server.link.ends[1].send(encodeChannelClosed(nodeCrypto, 1, { sessionId: 's', destinationId: 's' }))
    await clock.play(60_000)
    expect(log).toEqual(['up'])
    expect(clock.pending).toBe(0)
  })
})

describe('a consumer that is busy', () => {
  test('has the connection wait, keeps it alive, and loses nothing', async () => {
    let busy = true
    let received = 0
    const { clock, server, link, log, say } = start({
      deliver: () => {
        if (!busy) received++
        return !busy
      },
    })
    link.open()
    await clock.play(10)
    const message = 'x'.repeat(64 * 1_024)
    for (let number = 0; number < 30; number++) say(message, number)
    await clock.play(10)
    const held = link.channel.bufferedBytes
    // The stock peer knows no window, so the network has to stop it.
    for (let number = 30; number < 130; number++) say(message, number)
    await clock.play(120_000)
    expect(link.channel.bufferedBytes).toBe(held)
    expect(log).toEqual(['up'])
    busy = false
    link.resume()
    await clock.play(10)
    expect(received).toBe(130)
    expect(server.dialledAt.length).toBe(1)
  })
})

describe('timers', () => {
  test('none looks for losses while there is nothing to lose, or nobody to send to', async () => {
    const { clock, link, got, server } = start({ pingEvery: 1e9 })
    const idle = 1
    link.open()
    await clock.play(10_000)
    expect(clock.pending).toBe(idle)
    link.channel.send(PayloadType.output, utf8('a'))
    expect(clock.pending).toBeGreaterThan(idle)
    await clock.play(3_000)
    expect(got.length).toBeGreaterThan(2)
    server.link.ends[1].send(
      encodeMessage(nodeCrypto, {
        messageType: MessageType.pausePublication,
        createdDate: 1,
        sequenceNumber: 0,
        flags: 3,
        messageId: '01234567-89ab-4cde-8f01-23456789abcd',
        payloadType: 0,
        payload: new Uint8Array(0),
      }),
    )
    await clock.play(3_000)
    expect(clock.pending).toBe(idle)
  })

  test.each([0, 10, 6_000])('none is left after a close, %d ms after the opening', async wait => {
    const { clock, link, log } = start()
    link.open()
    if (wait > 0) await clock.play(wait)
    link.channel.send(PayloadType.output, utf8('a'))
    link.close()
    link.close()
    // Less than a tick: what the network still carries, and no more.
    await clock.play(10)
    expect(clock.pending).toBe(0)
    expect(log).toEqual(wait === 0 ? [] : ['up'])
  })

  test('none is left when the link is closed between two attempts', async () => {
    const { clock, server, link, log } = start()
    server.refusal = new Error('no')
    link.open()
    await clock.play(1_000)
    link.close()
    expect(clock.pending).toBe(0)
    await clock.play(60_000)
    expect(log).toEqual([])
  })
})
