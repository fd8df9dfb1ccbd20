import { accessSync, constants, statSync } from 'node:fs'
import { resolve } from 'node:path'

export type Found = 'found' | 'missing' | 'not executable'

/**
 * Whether a shell would find `name` (POSIX XCU 2.9.1.4), so that its absence can be told in words; what the account may
 * not run although it is there shows when it is run.
 */
export function findProgram(name: string, path: string, cwd: string): Found {
  const candidates = name.includes('/')
    ? [resolve(cwd, name)]
    : path.split(':').map(directory => resolve(cwd, directory, name))
  let found: Found = 'missing'
  for (const candidate of candidates) {
    const answer = look(candidate)
    if (answer === 'found') return answer
    if (answer === 'not executable') found = answer
  }
  return found
}

function look(file: string): Found {
  try {
    if (!statSync(file).isFile()) return 'not executable'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? 'not executable' : 'missing'
  }
  try {
    accessSync(file, constants.X_OK)
    return 'found'
  } catch {
    return 'not executable'
  }
}
