import { readFileSync } from 'node:fs'
import { type ApiClient, createClient } from '@sallyport/cli/client'
import { answerHandshake, decodeHandshakeRequest, limitsOf } from '@sallyport/protocol/handshake'
import { PayloadType } from '@sallyport/protocol/message-types'
import { encodeSize, openDataChannel } from '@sallyport/protocol/payloads'
import { SessionLink } from '@sallyport/protocol/session-link'
import { nodeClock } from '@sallyport/protocol/transport/node-clock'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { createDialer } from '@sallyport/protocol/transport/node-http'
import { newUuid } from '@sallyport/protocol/uuid'
import { CLIENT_COMPATIBILITY_VERSION } from '@sallyport/protocol/versions'
import type { Stack } from '../e2e/stack.ts'
import { PROMPT } from './peers.ts'

/** When what happened, ms since the epoch with fractions; absent if it did not. */
export type Stamps = Partial<
  Record<'sent' | 'answered' | 'connected' | 'handshake' | 'firstByte' | 'prompt', number>
>

/** A shell session without a program and a terminal around it: the protocol alone, in this process. */
export type OwnShell = {
  sessionId: string
  stamps: Stamps
  /** Resolves with what has come since the last call, as soon as there is any. */
  output(): Promise<string>
  type(text: string): void
  /** `exit`, and waits until the server says that the session is over. */
  leave(): Promise<void>
}

const SIZE = { cols: 80, rows: 24 }

export function apiClient(stack: Stack): ApiClient {
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = stack.env
  return createClient({
    endpoint: new URL(stack.endpoint),
    region: 'us-east-1',
    credentials: async () => ({ accessKeyId, secretAccessKey }),
    ca: readFileSync(stack.caFile, 'utf8'),
    env: {},
  })
}

/** Opens a shell and waits for its prompt. */
export async function openOwnShell(stack: Stack, client: ApiClient): Promise<OwnShell> {
  const stamps: Stamps = { sent: now() }
  const session = (await client.call('ssm', 'StartSession', { Target: stack.node.id })) as Record<
    string,
    string
  >
  stamps.answered = now()
  const { SessionId: sessionId = '', TokenValue = '', StreamUrl = '' } = session
  const dial = createDialer({ ca: readFileSync(stack.caFile, 'utf8'), env: {} })
  const closed = event()
  const prompt = event()
  let unread = ''
  let arrived = () => {}

  const link: SessionLink = new SessionLink({
    role: 'client',
    crypto: nodeCrypto,
    clock: nodeClock,
    giveUpAfter: 0,
    pingEvery: 60_000,
    dial: async () => {
      const connection = await dial(StreamUrl)
      stamps.connected = now()
      const open = openDataChannel.encode({
        MessageSchemaVersion: '1.0',
        RequestId: newUuid(nodeCrypto),
        TokenValue,
        ClientId: newUuid(nodeCrypto),
        ClientVersion: CLIENT_COMPATIBILITY_VERSION,
      })
      connection.send(new TextDecoder().decode(open))
      return connection
    },
    deliver: (type, payload) => {
      if (type === PayloadType.handshakeRequest) shakeHands(link, payload, stamps)
      if (type === PayloadType.output) received(new TextDecoder().decode(payload))
      return true
    },
    onClosed: () => {
      link.close()
      closed.happens()
    },
    onGone: reason => prompt.fails(new Error(`the session broke off: ${reason}`)),
  })
  const received = (more: string) => {
    stamps.firstByte ??= now()
    unread += more
    if (stamps.prompt === undefined && PROMPT.test(unread)) {
      stamps.prompt = now()
      prompt.happens()
    }
    arrived()
  }
  link.open()
  await prompt.happened
  unread = ''
  const type = (keys: string) => void link.channel.send(PayloadType.output, new TextEncoder().encode(keys))
  return {
    sessionId,
    stamps,
    type,
    async output() {
      if (unread === '') {
        await new Promise<void>(resolve => {
          arrived = resolve
        })
      }
      const text = unread
      unread = ''
      return text
    },
    async leave() {
      type('exit\r')
      await closed.happened
    },
  }
}

function shakeHands(link: SessionLink, payload: Uint8Array, stamps: Stamps): void {
  stamps.handshake = now()
  const answer = answerHandshake(decodeHandshakeRequest(payload), {
    clientVersion: CLIENT_COMPATIBILITY_VERSION,
  })
  link.channel.sendWhole(PayloadType.handshakeResponse, answer.payload)
  if (answer.terms !== undefined) link.channel.agree(limitsOf(answer.terms))
  link.channel.sendWhole(PayloadType.size, encodeSize(SIZE))
}

function now(): number {
  return performance.timeOrigin + performance.now()
}

function event() {
  let happens: () => void = () => {}
  let fails: (error: Error) => void = () => {}
  const happened = new Promise<void>((resolve, reject) => {
    happens = resolve
    fails = reject
  })
  return { happened, happens: () => happens(), fails: (error: Error) => fails(error) }
}
