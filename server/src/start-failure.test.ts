import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import type { ListenAddress } from './config.ts'
import { ListenError } from './listen-error.ts'
import { startFailure } from './start-failure.ts'
import { StoreError } from './store/errors.ts'
import { OwnCertificateError } from './tls/own-certificate.ts'

const dataDir = '/data'
const told = (error: unknown) => startFailure(error, { dataDir })

/** What the system says when such an address is listened on. */
function refusal(address: ListenAddress): Promise<Error> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', resolve)
    server.listen(address.port, address.host, () => server.close(() => reject(new Error('it could'))))
  })
}

test('a port that is taken is told with who has it, and with the option of that listener', async () => {
  const other = createServer()
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
  const address = other.address()
  const busy = { host: '127.0.0.1', port: typeof address === 'object' ? Number(address?.port) : 0 }
  try {
    const cause = await refusal(busy)
    expect(told(new ListenError(busy, 'https', cause))).toMatch(
      new RegExp(
        `^Port ${busy.port} is in use by [ -~]+ \\(pid ${process.pid}\\)\\. Choose another with --listen\\.$`,
      ),
    )
    expect(told(new ListenError(busy, 'http', cause))).toMatch(/with --http-listen, .*--http-listen off\.$/)
  } finally {
    other.close()
  }
})

test('an address of another machine, and a port that takes rights, are told as such', async () => {
  const elsewhere = { host: '192.0.2.1', port: 8443 }
  expect(told(new ListenError(elsewhere, 'https', await refusal(elsewhere)))).toBe(
    'This machine has no address 192.0.2.1. Choose another with --listen.',
  )
  const low = { host: '::', port: 443 }
  expect(told(new ListenError(low, 'https', Object.assign(new Error('listen'), { code: 'EACCES' })))).toBe(
    'Port 443 is for privileged programs only. Choose another with --listen.',
  )
  expect(told(new ListenError(low, 'https', Object.assign(new Error('odd'), { code: 'EIO' })))).toBe(
    'Cannot listen on [::]:443: odd. Choose another with --listen.',
  )
})

test('files that cannot be used are told with the option that names them', () => {
  expect(told(new OwnCertificateError('the certificate cannot be read: ENOENT'))).toBe(
    'The certificate cannot be read: ENOENT. See --tls-cert and --tls-key.',
  )
  expect(told(new StoreError('busy', 'locked'))).toBe(
    'The database /data/sallyport.db cannot be used: locked.',
  )
  const denied = Object.assign(new Error('EACCES: permission denied, mkdir'), { syscall: 'mkdir' })
  expect(told(denied)).toMatch(/^The data directory \/data cannot be used: EACCES.* --data-dir/)
})

test('nothing is made of an error of our own', () => {
  expect(told(new TypeError('x is not a function'))).toBeUndefined()
  expect(told(undefined)).toBeUndefined()
})
