import { join } from 'node:path'
import { portOwner } from '@sallyport/protocol/transport/node-port-owner'
import type { ServerConfig } from './config.ts'
import { ListenError } from './listen-error.ts'
import { StoreError } from './store/errors.ts'
import { SealError } from './store/sealing.ts'
import { AuthorityError } from './tls/authority.ts'
import { OwnCertificateError } from './tls/own-certificate.ts'

const HINTS = {
  https: 'Choose another with --listen.',
  http: 'Choose another with --http-listen, or do without it: --http-listen off.',
}

/** What a person can put right, in a sentence and with what to do; undefined for anything that nobody expects. */
export function startFailure(error: unknown, { dataDir }: Pick<ServerConfig, 'dataDir'>): string | undefined {
  if (error instanceof ListenError) return listenFailure(error)
  if (error instanceof OwnCertificateError) return `${sentence(error.message)} See --tls-cert and --tls-key.`
  if (error instanceof AuthorityError || error instanceof SealError) return sentence(error.message)
  if (error instanceof StoreError) {
    return sentence(`the database ${join(dataDir, 'sallyport.db')} cannot be used: ${error.message}`)
  }
  if (isSystemError(error)) {
    return `The data directory ${dataDir} cannot be used: ${error.message}. Choose another with --data-dir, or give it to this user.`
  }
  return undefined
}

function listenFailure({ address: { host, port }, scheme, cause }: ListenError): string {
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const { code, message } = cause as NodeJS.ErrnoException
  switch (code) {
    case 'EADDRINUSE': {
      const owner = portOwner(port)
      return `Port ${port} is in use${owner === undefined ? '' : ` by ${printable(owner)}`}. ${HINTS[scheme]}`
    }
    case 'EACCES':
      return `Port ${port} is for privileged programs only. ${HINTS[scheme]}`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `This machine has no address ${host}. ${HINTS[scheme]}`
    default:
      return `Cannot listen on ${where}: ${message}. ${HINTS[scheme]}`
  }
}

/** A process may be called anything. */
function printable(text: string): string {
  return text.replace(/[^ -~]/g, '?')
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}

/** Messages that go into others begin small. A path stays as it is. */
function sentence(message: string): string {
  const [first = ''] = message
  return `${first.toUpperCase()}${message.slice(1)}${message.endsWith('.') ? '' : '.'}`
}
