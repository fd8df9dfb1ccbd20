import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { handOver, installedProgram, runningRelease } from './hand-over.ts'
import { describeProgram, releaseDirectory, tryRelease } from './releases.ts'

test('a version that cannot even be loaded leaves the node with the installed one', async () => {
  const stateDirectory = mkdtempSync(join(tmpdir(), 'sallyport-hand-over-'))
  onTestFinished(() => rmSync(stateDirectory, { recursive: true }))
  const id = 'b'.repeat(64)
  const entry = join(releaseDirectory(stateDirectory, id), 'dist/sallyport.js')
  mkdirSync(dirname(entry), { recursive: true })
  writeFileSync(entry, `throw new Error('the addon is of another Node.js')`)
  const installed = describeProgram(installedProgram())?.ReleaseId
  await tryRelease(stateDirectory, { id, version: '0.2.0' }, installed)
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  onTestFinished(() => said.mockRestore())
  await handOver(['run', '--state-dir', stateDirectory])
  expect(said).toHaveBeenCalledWith(expect.stringContaining('the addon is of another Node.js'))
  expect(runningRelease()).toBeUndefined()
})
