import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { bootId, UNKNOWN_BOOT } from './reboot.ts'

function procOf(boot: string, firstProcessStarted: number): string {
  const proc = mkdtempSync(join(tmpdir(), 'sallyport-proc-'))
  onTestFinished(() => rmSync(proc, { recursive: true }))
  for (const directory of ['sys/kernel/random', '1']) mkdirSync(join(proc, directory), { recursive: true })
  writeFileSync(join(proc, 'sys/kernel/random/boot_id'), `${boot}\n`)
  const fields = Array.from({ length: 49 }, (_, i) => (i === 18 ? firstProcessStarted : 0))
  writeFileSync(join(proc, '1/stat'), `1 (in) it) S ${fields.join(' ')}\n`)
  return proc
}

test('a boot is told from another, also that of a container whose host has not booted', () => {
  const boot = bootId(procOf('a', 7))
  expect(bootId(procOf('a', 7))).toBe(boot)
  expect(bootId(procOf('b', 7))).not.toBe(boot)
  expect(bootId(procOf('a', 8))).not.toBe(boot)
  expect(bootId('/nowhere')).toBe(UNKNOWN_BOOT)
})
