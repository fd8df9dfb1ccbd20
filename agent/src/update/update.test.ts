import { createHash } from 'node:crypto'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { keepRelease, releaseDirectory, releaseToRun, tryRelease } from './releases.ts'
import { updateAgent } from './update.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const NEW = sha256('new')
const files = { 'sallyport.js': 'the new program', 'chunks/a.js': 'a part of it' }
const OLD = sha256('old')
const wanted = { targetVersion: '', allowDowngrade: false, signal: new AbortController().signal }

let directory: string
let program: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-update-'))
  mkdirSync(join(directory, 'installed'))
  program = join(directory, 'installed/sallyport.js')
  writeFileSync(program, 'the old program')
  installed({ ReleaseId: OLD, Version: '0.1.0' })
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
  updateAgent(
    { server: server(changes), stateDirectory: directory, program, installed: program },
    { ...wanted, ...more },
  )

describe('an update', () => {
  test('brings every file whole and is run from the next start on', async () => {
    expect(await update()).toMatchObject({ replaced: true, message: expect.stringContaining('0.2.0') })
    const release = await releaseToRun(directory, OLD)
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
    expect(await releaseToRun(directory, NEW)).toBeUndefined()
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
    ['an id that leads away', { release: { ReleaseId: '../../victim' } }, {}, /has the id "..\/..\/victim"/],
    ['an id that is none', { release: { ReleaseId: '' } }, {}, /has the id ""/],
    [
      'a size below nothing, beside one that is too much',
      { release: { Files: [1e12, -1e12].map(Size => ({ Path: 'a', Size, Sha256: '' })) } },
      {},
      /too much/,
    ],
    ['too much', { release: { Files: [{ Path: 'a', Size: 1e12, Sha256: '' }] } }, {}, /too much/],
  ])('%s is refused, and nothing has changed', async (_, changes, more, message) => {
    await expect(update(changes, more)).rejects.toThrow(message)
    expect(await releaseToRun(directory, OLD)).toBeUndefined()
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
    for (let start = 0; start < 3; start++) expect(await releaseToRun(directory, OLD)).toBeDefined()
    expect(await releaseToRun(directory, OLD)).toBeUndefined()
    expect(await releaseToRun(directory, OLD)).toBeUndefined()
  })

  test('that has come online stays, and those before it go', async () => {
    const before = sha256('before')
    mkdirSync(releaseDirectory(directory, before))
    await keepRelease(directory, NEW)
    for (let start = 0; start < 10; start++)
      expect(await releaseToRun(directory, OLD)).toMatchObject({ onTrial: false })
    expect(readdirSync(join(directory, 'releases')).sort()).toEqual([NEW, 'chosen.json'].sort())
  })

  test('is not proved by another that comes online', async () => {
    await tryRelease(directory, { id: NEW, version: '0.2.0' }, OLD)
    await keepRelease(directory, sha256('another'))
    for (let start = 0; start < 3; start++) await releaseToRun(directory, OLD)
    expect(await releaseToRun(directory, OLD)).toBeUndefined()
  })
  test('gives way to the release before it, which was good, and is removed', async () => {
    await keepRelease(directory, NEW)
    const bad = sha256('bad')
    mkdirSync(releaseDirectory(directory, bad))
    await tryRelease(directory, { id: bad, version: '0.3.0' }, OLD)
    expect(await releaseToRun(directory, OLD)).toMatchObject({ id: NEW, onTrial: false })
    expect(await releaseToRun(directory, OLD)).toMatchObject({ id: NEW, onTrial: false })
    expect(readdirSync(join(directory, 'releases')).sort()).toEqual([NEW, 'chosen.json'].sort())
  })
})

describe('a release that is good', () => {
  const entry = () => join(releaseDirectory(directory, NEW), 'dist/sallyport.js')

  test('is given up once another version is installed by hand', async () => {
    await update()
    await keepRelease(directory, NEW)
    expect(await releaseToRun(directory, sha256('by hand'))).toBeUndefined()
    expect(readdirSync(directory)).toEqual(['installed'])
  })

  test('leaves the packages to the next, though it goes itself', async () => {
    mkdirSync(join(directory, 'installed/node_modules'))
    await update()
    await keepRelease(directory, NEW)
    writeFileSync(join(entry(), '../release.json'), JSON.stringify({ ReleaseId: NEW, Version: '0.2.0' }))
    const next = sha256('next')
    const options = { server: server({ release: { ReleaseId: next } }), stateDirectory: directory }
    await updateAgent({ ...options, program: entry(), installed: program }, wanted)
    await keepRelease(directory, next)
    const modules = realpathSync(join(releaseDirectory(directory, next), 'node_modules'))
    expect(modules).toBe(realpathSync(join(directory, 'installed/node_modules')))
  })
})

test('a cancelled update leaves nothing behind', async () => {
  const cancel = new AbortController()
  const file = (path: keyof typeof files) => {
    cancel.abort()
    return files[path]
  }
  await expect(
    update({ file: file as (path: string) => string }, { signal: cancel.signal }),
  ).rejects.toThrow()
  expect(readdirSync(join(directory, 'releases'))).toEqual([])
})
