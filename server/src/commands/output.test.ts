import { mkdir, mkdtemp, readdir, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CommandOutput, MAXIMUM_STREAM_BYTES, OutputGap, type OutputKey } from './output.ts'
import { FREE_BYTES, FREE_SHARE, MAXIMUM_COMMAND_BYTES, OutputRoom } from './output-room.ts'

const commandId = '0a1b2c3d-0000-4000-8000-0123456789ab'
const key: OutputKey = {
  commandId,
  nodeId: 'mi-0123456789abcdef0',
  step: 'aws:runShellScript',
  stream: 'stdout',
}
const bytes = (text: string) => Buffer.from(text)

let root: string
let directory: string
let output: CommandOutput

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'command-output-'))
  directory = join(root, 'output')
  output = new CommandOutput(directory)
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function text(of = key): Promise<string | undefined> {
  const read = await output.read(of, 0, 1000)
  return read && Buffer.from(read.bytes).toString()
}

test('what is appended is read back, in pieces too', async () => {
  expect(await output.read(key, 0, 10)).toBeUndefined()
  expect(await output.append(key, 0, bytes('hello '))).toEqual({ size: 6, added: 6, full: false })
  expect(await output.append(key, 6, bytes('world'))).toEqual({ size: 11, added: 5, full: false })
  expect(await output.read(key, 4, 4)).toEqual({ bytes: bytes('o wo'), size: 11 })
  expect(await output.read(key, 11, 4)).toEqual({ bytes: bytes(''), size: 11 })
  expect(await output.read(key, 99, 4)).toEqual({ bytes: bytes(''), size: 11 })
})

test('a part that comes again changes nothing, one that overlaps adds what is new', async () => {
  await output.append(key, 0, bytes('abcdef'))
  expect(await output.append(key, 0, bytes('XXXXXX'))).toEqual({ size: 6, added: 0, full: false })
  expect(await output.append(key, 2, bytes('XX'))).toEqual({ size: 6, added: 0, full: false })
  expect(await output.append(key, 4, bytes('XXgh'))).toEqual({ size: 8, added: 2, full: false })
  expect(await text()).toBe('abcdefgh')
})

test('a part after a gap is refused, and says how much is there', async () => {
  await output.append(key, 0, bytes('abc'))
  const refused = await output.append(key, 4, bytes('x')).catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(OutputGap)
  expect(refused).toMatchObject({ size: 3 })
  expect(await text()).toBe('abc')
})

test('parts that come at the same time, some twice and some late, make the whole', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 10 }),
      fc.uuid().map(id => id.toLowerCase()),
      async (parts, id) => {
        const mine = { ...key, commandId: id }
        let offset = 0
        const calls = parts.flatMap(part => {
          const at = offset
          offset += part.length
          return [output.append(mine, at, part), output.append(mine, 0, parts[0] ?? part)]
        })
        await Promise.all(calls)
        const read = await output.read(mine, 0, 10_000)
        expect(Buffer.from(read?.bytes ?? [])).toEqual(Buffer.concat(parts))
      },
    ),
    { numRuns: 30 },
  )
})

test('a stream that has as much as it may takes no more', async () => {
  await output.append(key, 0, bytes('x'))
  const path = join(directory, commandId, key.nodeId, 'aws%3arunShellScript.stdout')
  await truncate(path, MAXIMUM_STREAM_BYTES - 2)
  expect(await output.append(key, MAXIMUM_STREAM_BYTES - 2, bytes('abcd'))).toEqual({
    size: MAXIMUM_STREAM_BYTES,
    added: 2,
    full: true,
  })
  expect(await output.append(key, MAXIMUM_STREAM_BYTES, bytes('abcd'))).toEqual({
    size: MAXIMUM_STREAM_BYTES,
    added: 0,
    full: true,
  })
})

test('nobody else can read it', async () => {
  await output.append(key, 0, bytes('secret'))
  const place = join(directory, commandId, key.nodeId)
  const modes = [directory, join(directory, commandId), place, join(place, 'aws%3arunShellScript.stdout')]
  const found = await Promise.all(modes.map(async path => (await stat(path)).mode & 0o777))
  expect(found).toEqual([0o700, 0o700, 0o700, 0o600])
})

test('steps have files of their own, whatever they are called, all of them inside', async () => {
  const names = ['../../../evil', '..', '.', 'a/b', 'a%2fb', 'a\0b', '/etc/passwd', 'ü', 'x'.repeat(128)]
  names.push('ü'.repeat(128), `${'ü'.repeat(127)}u`, 'stdout', 'A', 'a', ' ')
  for (const step of names) await output.append({ ...key, step }, 0, bytes(step))
  for (const step of names) expect(await text({ ...key, step })).toBe(step)
  expect(await readdir(root)).toEqual(['output'])
  expect(await readdir(directory)).toEqual([commandId])
  expect(await readdir(join(directory, commandId, key.nodeId))).toHaveLength(names.length)
})

test('ids that are none name no file', async () => {
  for (const wrong of ['..', '../../x', 'x/y', '', `${commandId}/..`, `${commandId}\n`]) {
    const call = async () => output.append({ ...key, commandId: wrong }, 0, bytes('x'))
    await expect(call()).rejects.toThrow('cannot be part of the name of a file')
    const node = async () => output.read({ ...key, nodeId: wrong }, 0, 1)
    await expect(node()).rejects.toThrow('cannot be part of the name of a file')
    await expect(output.remove(wrong)).rejects.toThrow('cannot be part of the name of a file')
  }
})

test('a link where a file should be is not followed', async () => {
  const elsewhere = join(root, 'elsewhere')
  await writeFile(elsewhere, 'untouched')
  await mkdir(join(directory, commandId, key.nodeId), { recursive: true })
  await symlink(elsewhere, join(directory, commandId, key.nodeId, 'step.stdout'))
  await expect(output.append({ ...key, step: 'step' }, 0, bytes('x'))).rejects.toThrow('ELOOP')
  await expect(output.read({ ...key, step: 'step' }, 0, 1)).rejects.toThrow('ELOOP')
})

test('what is removed is gone, with that of other commands left', async () => {
  const other = { ...key, commandId: '0a1b2c3d-0000-4000-8000-000000000000' }
  await output.append(key, 0, bytes('x'))
  await output.append(other, 0, bytes('y'))
  await output.remove(commandId)
  expect(await output.read(key, 0, 1)).toBeUndefined()
  expect(await text(other)).toBe('y')
  await output.remove(commandId)
})

describe('where there is no more room', () => {
  const other = { ...key, nodeId: 'mi-11111111111111111' }
  const stderr: OutputKey = { ...other, stream: 'stderr' }
  const full = (size: number, added: number) => ({ size, added, full: true })
  /** All nodes of the command have written so much. */
  const fill = async (size: number) => {
    await output.append(key, 0, bytes('x'))
    await truncate(join(directory, commandId, key.nodeId, 'aws%3arunShellScript.stdout'), size)
    // The server starts anew.
    output = new CommandOutput(directory)
  }

  test('for a command, all of its nodes are told that it is full', async () => {
    await fill(MAXIMUM_COMMAND_BYTES - 5)
    expect(await output.append(other, 0, bytes('abc'))).toEqual({ size: 3, added: 3, full: false })
    expect(await output.append(stderr, 0, bytes('abc'))).toEqual(full(2, 2))
    expect(await output.append(other, 3, bytes('d'))).toEqual(full(3, 0))
    expect(await output.append(other, 0, bytes('abc'))).toMatchObject({ size: 3, added: 0 })
    expect(await text(stderr)).toBe('ab')
    const next = { ...key, commandId: '0a1b2c3d-0000-4000-8000-000000000000' }
    expect(await output.append(next, 0, bytes('abc'))).toMatchObject({ full: false })
    await output.remove(commandId)
    expect(await output.append(other, 0, bytes('abc'))).toMatchObject({ full: false })
  })

  test('nodes that write at the same time do not get it twice', async () => {
    await fill(MAXIMUM_COMMAND_BYTES - 4)
    const answers = await Promise.all([other, stderr].map(of => output.append(of, 0, bytes('abc'))))
    expect(answers.map(({ added }) => added).sort()).toEqual([1, 3])
  })

  test('what could not be written does not count', async () => {
    await fill(MAXIMUM_COMMAND_BYTES - 3)
    const room = new OutputRoom(directory)
    const first = await room.take(commandId, 3)
    expect((await room.take(commandId, 3)).taken).toBe(0)
    first.giveBack()
    expect((await room.take(commandId, 3)).taken).toBe(3)
  })

  test.each([
    ['a small disk', 1000 * 4096, 4096, Math.ceil((1000 * 4096 * FREE_SHARE) / 4096)],
    ['a large one', 1e12, 4096, FREE_BYTES / 4096],
  ])('on %s, some is left to the store', async (_name, size, bsize, floor) => {
    const disk = { blocks: size / bsize, bsize, bavail: floor }
    output = new CommandOutput(directory, new OutputRoom(directory, async () => disk))
    expect(await output.append(key, 0, bytes('abc'))).toEqual(full(0, 0))
    disk.bavail++
    expect(await output.append(key, 0, bytes('abc'))).toEqual({ size: 3, added: 3, full: false })
    expect(await output.append(key, 3, Buffer.alloc(bsize + 1))).toEqual(full(3, 0))
  })
})
