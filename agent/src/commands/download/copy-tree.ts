import { createReadStream, lstatSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type Destination, MAXIMUM_DOWNLOAD, writeAll, writeWhole } from './destination.ts'

const MAXIMUM_DEPTH = 100

/** Copies what is in a directory, links as links. What is at the destination stays, apart from files of the same names. */
export async function copyTree(from: string, to: string, destination: Destination): Promise<void> {
  const budget = { left: MAXIMUM_DOWNLOAD }
  await copyDirectory(from, to, destination, budget, MAXIMUM_DEPTH)
}

export async function copyFile(from: string, to: string): Promise<void> {
  await writeWhole(to, async fd => {
    for await (const chunk of createReadStream(from)) {
      await writeAll(fd, chunk)
    }
  })
}

async function copyDirectory(
  from: string,
  to: string,
  destination: Destination,
  budget: { left: number },
  depth: number,
): Promise<void> {
  if (depth === 0) throw new Error(`The content has more than ${MAXIMUM_DEPTH} levels of directories.`)
  destination.makeDirectory(to)
  for (const name of readdirSync(from)) {
    if (name === '.git') continue
    const [source, target] = [join(from, name), join(to, name)]
    const status = lstatSync(source)
    if (status.isDirectory()) {
      if (lstatSync(target, { throwIfNoEntry: false })?.isSymbolicLink()) {
        throw new Error(`${target} is a link, and nothing is copied through it.`)
      }
      await copyDirectory(source, target, destination, budget, depth - 1)
    } else if (status.isSymbolicLink()) {
      rmSync(target, { force: true })
      symlinkSync(readlinkSync(source), target)
    } else if (status.isFile()) {
      budget.left -= status.size
      if (budget.left < 0) throw new Error(`The content has more than ${MAXIMUM_DOWNLOAD} bytes.`)
      await copyFile(source, target)
    }
  }
}
