import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

const MAC_SIZE = 32
const NONCE_SIZE = 16
export const CHANNEL_TOKEN_KEY_SIZE = 32
/** An agent opens its websocket at once after it was given the token. */
const AGENT_TOKEN_LIFETIME = 60_000
/** Until then a client must have attached for the first time: the aws CLI and its plugin have to start. */
export const CLIENT_TOKEN_LIFETIME = 5 * 60_000

/** Which channel a token opens. `channelId` is the node of a control channel, the session of a data channel. */
export type ChannelClaim = { kind: 'control' | 'data'; channelId: string; nodeId: string }

/**
 * Tokens with which an agent opens its channels. They prove that a server of ours answered the signed
 * Create…Channel call for just this channel and node; no table holds them.
 */
export class ChannelTokens {
  readonly #key: Uint8Array

  constructor(key: Uint8Array) {
    this.#key = key
  }

  issue(claim: ChannelClaim, now: number): string {
    const { kind, channelId, nodeId } = claim
    const expires = now + AGENT_TOKEN_LIFETIME
    const body = Buffer.from(
      JSON.stringify([kind, channelId, nodeId, expires, randomBytes(NONCE_SIZE).toString('base64url')]),
    )
    return Buffer.concat([this.#mac(body), body]).toString('base64url')
  }

  /** Whether the token opens this channel now. */
  check(token: string, claim: ChannelClaim, now: number): boolean {
    const bytes = Buffer.from(token, 'base64url')
    const body = bytes.subarray(MAC_SIZE)
    if (bytes.length <= MAC_SIZE || !timingSafeEqual(bytes.subarray(0, MAC_SIZE), this.#mac(body)))
      return false
    const [kind, channelId, nodeId, expires] = JSON.parse(body.toString()) as [string, string, string, number]
    return kind === claim.kind && channelId === claim.channelId && nodeId === claim.nodeId && now < expires
  }

  #mac(body: Uint8Array): Buffer {
    return createHmac('sha256', this.#key).update(body).digest()
  }
}

/** A token for a client's data channel: the store keeps its hash, the client gets its text, once. */
export function newClientToken(): { token: string; hash: string } {
  const token = randomBytes(48).toString('base64url')
  return { token, hash: hashClientToken(token) }
}

export function hashClientToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
