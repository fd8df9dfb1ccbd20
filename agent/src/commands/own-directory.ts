import { lstatSync, mkdirSync } from 'node:fs'

/**
 * Makes a directory (0700) whose parent is the agent's own, or takes the one that is there: never a link, and nobody
 * else's, whatever an earlier step left in its place (security-cases.md 38).
 */
export function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const status = lstatSync(path)
    const own = process.getuid === undefined || status.uid === process.getuid()
    if (!status.isDirectory() || !own) throw new Error(`${path} is not a directory of the agent.`)
  }
}
