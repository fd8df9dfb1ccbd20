import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stepDirectory } from './step-directory.ts'
import { byName, scene, scripts, temporaryDirectory } from './testing-document.ts'

const HOSTILE = [
  '..',
  '.',
  '../../evil',
  '/etc/evil',
  '~/evil',
  'a/../../evil',
  'a\\..\\evil',
  'CON',
  'nul.txt',
  'downloads',
  'x'.repeat(5_000),
  'line\nbreak',
  '$(touch evil)',
  "quote'quote",
  'ends.',
  '\u202egnp.exe',
  '-rf',
]

test('every name becomes one plain component, equal names the same, others another', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (name, other) => {
      const directory = stepDirectory(name)
      expect(directory).toMatch(/^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}$/)
      expect(stepDirectory(name)).toBe(directory)
      if (other !== name) expect(stepDirectory(other)).not.toBe(directory)
    }),
  )
  expect(new Set(HOSTILE.map(stepDirectory)).size).toBe(HOSTILE.length)
  expect(stepDirectory('aws:runShellScript')).toBe('awsrunShellScript')
  expect(stepDirectory('0.aws:runShellScript')).toBe('0.awsrunShellScript')
  expect(stepDirectory('plain_Name-1')).toBe('plain_Name-1')
})

test('steps and ids of any name run in the directory of their command', async () => {
  const parent = temporaryDirectory()
  const directory = join(parent, 'command')
  mkdirSync(directory, { mode: 0o700 })
  const named = scripts(Object.fromEntries(HOSTILE.map(name => [name, 'dirname "$0"'])))
  const { steps } = await scene(named, { directory }).run()
  for (const step of steps) {
    expect(step).toMatchObject({ status: 'Success' })
    expect(dirname(step.standardOutput.trim())).toBe(directory)
  }
  const properties = HOSTILE.map(id => ({ id, runCommand: ['dirname "$0"'] }))
  const ids = { schemaVersion: '1.2', runtimeConfig: { 'aws:runShellScript': { properties } } }
  const result = await scene(ids, { directory }).run()
  for (const path of byName(result.steps, 'aws:runShellScript').standardOutput.trim().split(/\n+/)) {
    expect(dirname(path)).toBe(join(directory, 'awsrunShellScript'))
  }
  expect(readdirSync(parent)).toEqual(['command'])
}, 30_000)

test('files are 0600, scripts and directories 0700', async () => {
  const { run, request } = scene(scripts({ one: 'umask 0; echo x' }))
  await run()
  const mode = (path: string) => statSync(join(request.directory, path)).mode & 0o777
  expect([mode('one'), mode('one/stdout'), mode('one/stderr'), mode('one/_script.sh')]).toEqual([
    0o700, 0o600, 0o600, 0o700,
  ])
})

test('what an earlier step puts in the way of a later one is not followed', async () => {
  const target = join(temporaryDirectory(), 'target')
  writeFileSync(target, 'precious')
  const traps: [string, string][] = [
    ['a link in place of the directory', `ln -s ${dirname(target)} "$D/two"`],
    ['a link in place of the output', `mkdir "$D/two"; ln -s ${target} "$D/two/stdout"`],
    ['a hard link in place of the output', `mkdir "$D/two"; ln ${target} "$D/two/stderr"`],
    ['a file in place of the directory', 'touch "$D/two"'],
  ]
  for (const [name, trap] of traps) {
    const directory = temporaryDirectory()
    const document = scripts({
      one: { runCommand: [trap], environment: { D: directory } },
      two: 'echo overwritten',
    })
    const { steps } = await scene(document, { directory }).run()
    expect([name, steps.map(step => step.status)]).toEqual([name, ['Success', 'Failed']])
    expect(readFileSync(target, 'utf8')).toBe('precious')
    expect(readdirSync(dirname(target))).toEqual(['target'])
  }
  const directory = temporaryDirectory()
  const trap = `mkdir "$D/two"; ln -s ${target} "$D/two/_script.sh"`
  const document = scripts({ one: { runCommand: [trap], environment: { D: directory } }, two: 'echo fine' })
  expect((await scene(document, { directory }).run()).status).toBe('Success')
  expect(readFileSync(target, 'utf8')).toBe('precious')
  expect(lstatSync(join(directory, 'two', '_script.sh')).isFile()).toBe(true)
})

test('also after a reboot only what is a file is gone on with', async () => {
  const directory = temporaryDirectory()
  mkdirSync(join(directory, 'one'), { mode: 0o700 })
  symlinkSync('/dev/null', join(directory, 'one', 'stdout'))
  const resume = { steps: [], exit: false, again: { step: 'one', element: 0 } }
  const { steps } = await scene(scripts({ one: 'touch ran' }), { directory, resume }).run()
  expect(steps[0]?.status).toBe('Failed')
})

test('a relative working directory is below the downloads, and cannot leave them', async () => {
  const at = async (workingDirectory: string) => {
    const directory = temporaryDirectory()
    mkdirSync(join(directory, 'downloads', 'here'), { recursive: true })
    const { steps } = await scene(scripts({ one: { runCommand: ['pwd'], workingDirectory } }), {
      directory,
    }).run()
    return byName(steps, 'one')
  }
  expect((await at('here')).standardOutput).toMatch(/\/downloads\/here\n$/)
  expect((await at('')).standardOutput).toMatch(/\/downloads\n$/)
  expect((await at('not-there')).standardOutput).toBe(`${process.cwd()}\n`)
  expect(await at('../..')).toMatchObject({
    status: 'Failed',
    standardError: expect.stringContaining('leads out'),
  })
})
