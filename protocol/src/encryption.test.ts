import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import vectors from '../vectors/encryption.json' with { type: 'json' }
import { fromHex, toHex, utf8 } from './bytes.ts'
import {
  DATA_KEY_SIZE,
  decryptPayload,
  encryptPayload,
  isEncryptedType,
  Nonces,
  splitDataKey,
} from './encryption.ts'
import { PayloadType } from './message-types.ts'
import { nodeCrypto, nodePayloadCipher } from './transport/node-crypto.ts'

const keys = splitDataKey(Uint8Array.from({ length: DATA_KEY_SIZE }, (_, i) => i))
const nonce = fromHex('a0a1a2a3a4a5a6a7a8a9aaab')
const refused = expect.objectContaining({ code: 'bad-encryption' })

describe('the vectors', () => {
  test.each(vectors.payloads)('$name ($section)', ({ dataKey, sender, nonce, plaintext, payload }) => {
    const { agentToClient, clientToAgent } = splitDataKey(fromHex(dataKey))
    const key = sender === 'agent' ? agentToClient : clientToAgent
    expect(toHex(encryptPayload(nodePayloadCipher, key, fromHex(nonce), fromHex(plaintext)))).toBe(payload)
    expect(toHex(decryptPayload(nodePayloadCipher, key, fromHex(payload)))).toBe(plaintext)
  })

  test.each(vectors.nonces)('after the nonce %s comes %s', (first, second) => {
    const nonces = new Nonces({ ...nodeCrypto, randomBytes: () => fromHex(first ?? '') })
    expect(toHex(nonces.next())).toBe(first)
    expect(toHex(nonces.next())).toBe(second)
  })
})

describe('a payload', () => {
  test('comes back whole, 28 bytes longer on the way', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), plaintext => {
        const payload = encryptPayload(nodePayloadCipher, keys.agentToClient, nonce, plaintext)
        expect(payload.length).toBe(plaintext.length + 28)
        expect(toHex(decryptPayload(nodePayloadCipher, keys.agentToClient, payload))).toBe(toHex(plaintext))
      }),
    )
  })

  test('with any bit turned is refused, and so is one for the other direction', () => {
    const payload = encryptPayload(nodePayloadCipher, keys.agentToClient, nonce, utf8('hello'))
    for (let bit = 0; bit < 8 * payload.length; bit++) {
      const changed = payload.slice()
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => decryptPayload(nodePayloadCipher, keys.agentToClient, changed)).toThrow(refused)
    }
    expect(() => decryptPayload(nodePayloadCipher, keys.clientToAgent, payload)).toThrow(refused)
  })

  test.each([0, 12, 27])('of %d bytes is too short', length => {
    expect(() => decryptPayload(nodePayloadCipher, keys.agentToClient, new Uint8Array(length))).toThrow(
      refused,
    )
  })
})

test.each([0, 32, 63, 65])('a data key of %d bytes is none', length => {
  expect(() => splitDataKey(new Uint8Array(length))).toThrow(refused)
})

test('nonces start at random and never repeat', () => {
  const nonces = new Nonces(nodeCrypto)
  const seen = new Set(Array.from({ length: 2_000 }, () => toHex(nonces.next())))
  expect(seen.size).toBe(2_000)
  expect(toHex(new Nonces(nodeCrypto).next())).not.toBe(toHex(new Nonces(nodeCrypto).next()))
})

test('sizes, flags and the handshake stay readable (data-plane.md 13.2)', () => {
  const encrypted = (sender: 'agent' | 'client') =>
    Object.values(PayloadType).filter(type => isEncryptedType(sender, type))
  expect(encrypted('agent')).toEqual([PayloadType.output, PayloadType.stderr, PayloadType.exitCode])
  expect(encrypted('client')).toEqual([PayloadType.output])
})
