import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { keepRelease, releaseDirectory, releaseToRun, tryRelease } from './releases.ts'
import { updateAgent } from './update.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const NEW = sha256('new')
const files = { 'sallyport.js': 'the new program', 'chunks/a.js': 'a part of it' }
const wanted = { targetVersion: '', allowDowngrade: false }

let directory: string
let program: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-update-'))
  mkdirSync(join(directory, 'installed'))
  program = join(directory, 'installed/sallyport.js')
  writeFileSync(program, 'the old program')
  installed({ ReleaseId: sha256('old'), Version: '0.1.0' })
})
afterEach(() => rmSync(directory, { recursive: true }))

function installed(release: object): void {
  writeFileSync(join(directory, 'installed/release.json'), JSON.stringify(release))
}

type Changes = { release?: object; file?: (path: string) => string }

/** A server that has the new release, but for what is changed; sends three bytes at a time. */
function server({ release = {}, file = path => files[path as keyof typeof files] }: Changes = {}) {
  const Files = Object.entries(files).map(([Path, text]) => ({
    Path,
    Size: text.length,
    Sha256: sha256(text),
  }))
  const manifest = { ReleaseId: NEW, Version: '0.2.0', Node: '20.19', Packages: {}, Files, ...release }
  return {
    call: async (operation: string, input: object) => {
      if (operation === 'GetAgentRelease') return manifest
      const { Path, Offset } = input as { Path: string; Offset: number }
      return { Content: Buffer.from(file(Path).slice(Offset, Offset + 3)).toString('base64') }
    },
  }
}

const update = (changes?: Changes, more: Partial<typeof wanted> = {}) =>
  updateAgent({ server: server(changes), stateDirectory: directory, program }, { ...wanted, ...more })

describe('an update', () => {
  test('brings every file whole and is run from the next start on', async () => {
    expect(await update()).toMatchObject({ replaced: true, message: expect.stringContaining('0.2.0') })
    const release = await releaseToRun(directory)
    expect(release).toEqual({
      id: NEW,
      entry: join(releaseDirectory(directory, NEW), 'dist/sallyport.js'),
      onTrial: true,
    })
    expect(readFileSync(release?.entry ?? '', 'utf8')).toBe('the new program')
    expect(readFileSync(join(releaseDirectory(directory, NEW), 'dist/chunks/a.js'), 'utf8')).toBe(
      'a part of it',
    )
  })

  test('to what runs already changes nothing', async () => {
    installed({ ReleaseId: NEW, Version: '0.2.0' })
    expect(await update()).toEqual({ replaced: false, message: 'The agent is up to date: version 0.2.0.' })
    expect(await releaseToRun(directory)).toBeUndefined()
  })

  test.each([
    ['an older version', { release: { Version: '0.0.9' } }, {}, /older than 0.1.0.*allowDowngrade/],
    [
      'a version that the server does not have',
      {},
      { targetVersion: '3.0.0' },
      /has version 0.2.0.*not 3.0.0/,
    ],
    ['one for a newer Node.js', { release: { Node: '99.1' } }, {}, /needs Node.js 99.1.*by hand/],
    [
      'one with another addon',
      { release: { Packages: { nowhere: '1.0.0' } } },
      {},
      /needs nowhere 1.0.0, and there is none here/,
    ],
    [
      'a file that is not what was said',
      { file: (path: string) => path.padEnd(15).slice(0, files['chunks/a.js'].length) },
      {},
      /otherwise than it said|bytes of/,
    ],
    ['a file that ends too early', { file: () => 'th' }, {}, /sent \d+ bytes of/],
    [
      'a path that leads away',
      { release: { Files: [{ Path: '../../x', Size: 1, Sha256: '' }] } },
      {},
      /has a file "..\/..\/x"/,
    ],
    ['an absolute path', { release: { Files: [{ Path: '/etc/x', Size: 1, Sha256: '' }] } }, {}, /has a file/],
    ['too much', { release: { Files: [{ Path: 'a', Size: 1e12, Sha256: '' }] } }, {}, /too much/],
  ])('%s is refused, and nothing has changed', async (_, changes, more, message) => {
    await expect(update(changes, more)).rejects.toThrow(message)
    expect(await releaseToRun(directory)).toBeUndefined()
    expect(readdirSync(directory).filter(name => name !== 'installed' && name !== 'releases')).toEqual([])
  })

  test('may go back if that is wanted', async () => {
    expect(await update({ release: { Version: '0.0.9' } }, { allowDowngrade: true })).toMatchObject({
      replaced: true,
    })
  })
})

describe('a release on trial', () => {
  beforeEach(() => update())

  test('that never comes online is given up at its fourth start', async () => {
    for (let start = 0; start < 3; start++) expect(await releaseToRun(directory)).toBeDefined()
    expect(await releaseToRun(directory)).toBeUndefined()
    expect(await releaseToRun(directory)).toBeUndefined()
  })

  test('that has come online stays, and those before it go', async () => {
    const before = sha256('before')
    mkdirSync(releaseDirectory(directory, before))
    await keepRelease(directory, NEW)
    for (let start = 0; start < 10; start++)
      expect(await releaseToRun(directory)).toMatchObject({ onTrial: false })
    expect(readdirSync(join(directory, 'releases')).sort()).toEqual([NEW, 'chosen.json'].sort())
  })

  test('is not proved by another that comes online', async () => {
    await tryRelease(directory, NEW, '0.2.0')
    await keepRelease(directory, sha256('another'))
    for (let start = 0; start < 3; start++) await releaseToRun(directory)
    expect(await releaseToRun(directory)).toBeUndefined()
  })
})
