import { randomUUID } from 'node:crypto'
import { link, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Creates a directory that only its owner may enter, with its parents. An existing one keeps its mode. */
export async function makePrivateDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
}

/** Writes a file of mode 0600 so that a crash leaves either the old content or the new one. */
export async function writePrivateFile(path: string, content: string | Uint8Array): Promise<void> {
  await throughTemporary(path, content, temporary => rename(temporary, path))
}

/** As writePrivateFile, but never replaces: false when the file already existed. */
export async function createPrivateFile(path: string, content: string | Uint8Array): Promise<boolean> {
  try {
    // A hard link fails where the name is taken; rename would replace the other's file.
    await throughTemporary(path, content, temporary => link(temporary, path))
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

/** Whether an error of the file system has this code, such as `ENOENT`. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

async function throughTemporary(
  path: string,
  content: string | Uint8Array,
  publish: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await publish(temporary)
    await syncDirectory(dirname(path))
  } finally {
    await rm(temporary, { force: true })
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
