import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createLogger, loggerTo } from './logger.ts'

function capture() {
  const lines: string[] = []
  const logger = loggerTo('debug', { write: line => void lines.push(line) })
  return { logger, lines, last: () => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown> }
}

test('a line is JSON with level, time and message', () => {
  const { logger, lines, last } = capture()
  logger.info({ nodeId: 'mi-1' }, 'node online')
  expect(last()).toMatchObject({ level: 'info', nodeId: 'mi-1', msg: 'node online' })
  expect(Number.isNaN(Date.parse(String(last().time)))).toBe(false)
  logger.trace('below the level')
  expect(lines).toHaveLength(1)
})

test('secrets are redacted at every depth, in children, in arrays and in errors', () => {
  const { logger, lines, last } = capture()
  const secret = 'hunter2-hunter2'
  logger.info({
    TokenValue: secret,
    request: { headers: { authorization: secret, 'x-amz-security-token': secret } },
  })
  logger.info({ list: [{ deep: { secretAccessKey: secret, ActivationCode: secret, id: 'kept' } }] })
  logger.child({ sessionToken: secret }).info('child')
  logger.error({ err: Object.assign(new Error('broke'), { options: { privateKey: secret, host: 'kept' } }) })
  expect(lines.join('')).not.toContain(secret)
  expect(last()).toMatchObject({
    err: { message: 'broke', options: { privateKey: '[redacted]', host: 'kept' } },
  })
})

test('a bare error keeps its message and stack', () => {
  const { logger, last } = capture()
  logger.error(new TypeError('no such thing'))
  expect(last()).toMatchObject({ err: { type: 'TypeError', message: 'no such thing' }, msg: 'no such thing' })
})

test('a log file is made with its directory and readable to its owner only', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-log-'))
  try {
    const file = join(directory, 'logs', 'server.log')
    createLogger({ level: 'info', file }).info('first')
    expect(await readFile(file, 'utf8')).toContain('"msg":"first"')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  } finally {
    await rm(directory, { recursive: true })
  }
})
