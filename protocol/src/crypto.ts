/**
 * The few primitives the protocol needs from its platform. They are handed in, because a pure JavaScript
 * digest is several times slower than the platform's and because this package may import none of them.
 * `transport/node-crypto.ts` is the implementation for Node.
 */
export type Crypto = {
  sha256(data: Uint8Array): Uint8Array
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array
  /** From a cryptographically secure source. */
  randomBytes(length: number): Uint8Array
}
