import { createHash } from 'node:crypto'

/** What DocumentHash of SendCommand is compared with: hex Sha256 of the content as it was written (control-plane.md 22). */
export function contentHash(content: string): string {
  return createHash('sha256').update(content).digest('hex')
}

export function contentSha1(content: string): string {
  return createHash('sha1').update(content).digest('hex')
}
