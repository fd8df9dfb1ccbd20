import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSealing, SealError } from './sealing.ts'

let directory: string
let keyFile: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-seal-'))
  keyFile = join(directory, 'data', 'master.key')
})
afterEach(() => rm(directory, { recursive: true }))

test('what was sealed opens again, after a restart too, and looks different each time', async () => {
  const sealing = await openSealing(keyFile)
  const sealed = sealing.seal('wJalrXUtnFEMI é', 'AKIA1')
  expect(sealed).toMatch(/^v1\.[\w-]+$/)
  expect(sealing.seal('wJalrXUtnFEMI é', 'AKIA1')).not.toBe(sealed)
  expect((await openSealing(keyFile)).open(sealed, 'AKIA1')).toBe('wJalrXUtnFEMI é')
  expect(sealing.open(sealing.seal('', ''), '')).toBe('')
})

test('a changed, moved, foreign or cut text does not open', async () => {
  const sealing = await openSealing(keyFile)
  const other = await openSealing(join(directory, 'other.key'))
  const sealed = sealing.seal('secret', 'AKIA1')
  expect(() => sealing.open(sealed, 'AKIA2')).toThrow(SealError)
  expect(() => other.open(sealed, 'AKIA1')).toThrow(SealError)
  for (const wrong of ['', 'v1.', 'secret', sealed.slice(0, 20), `v2.${sealed.slice(3)}`]) {
    expect(() => sealing.open(wrong, 'AKIA1')).toThrow(SealError)
  }
  const bytes = Buffer.from(sealed.slice(3), 'base64url')
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = Buffer.from(bytes)
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
    expect(() => sealing.open(`v1.${changed.toString('base64url')}`, 'AKIA1')).toThrow(SealError)
  }
})

test('the key is private, made once even by several at a time, and never replaced', async () => {
  const sealings = await Promise.all([1, 2, 3, 4].map(() => openSealing(keyFile)))
  const sealed = sealings[0]?.seal('secret', 'x') ?? ''
  for (const sealing of sealings) expect(sealing.open(sealed, 'x')).toBe('secret')
  expect((await stat(keyFile)).mode & 0o777).toBe(0o600)
  expect((await stat(keyFile)).size).toBe(32)
  expect(await readdir(join(keyFile, '..'))).toEqual(['master.key'])
  await writeFile(keyFile, 'short')
  await expect(openSealing(keyFile)).rejects.toThrow(/5 bytes instead of 32/)
})
