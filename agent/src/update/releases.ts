import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from '../replace-file.ts'

// What an agent that updated itself keeps: `releases/<id>/dist/…`, and which of them it runs.

/** A release that has not come online by its fourth start is given up. */
const TRIALS = 3
const ENTRY = 'dist/sallyport.js'
const ID = /^[0-9a-f]{64}$/

/** `trial` until it has been online once. */
type Chosen = { id: string; version: string; state: 'trial' | 'good'; starts: number }

/** `onTrial`: it has not been online yet. */
export type RunningRelease = { id: string; entry: string; onTrial: boolean }

export function releaseDirectory(stateDirectory: string, id: string): string {
  return join(stateDirectory, 'releases', id)
}

/**
 * The program that is to run in place of the one that was installed; undefined if that is the one. Counts the starts of a
 * release that has not proved itself: one that never comes online is dropped, and the agent is as it was before.
 */
export async function releaseToRun(stateDirectory: string): Promise<RunningRelease | undefined> {
  const chosen = await readChosen(stateDirectory)
  if (chosen === undefined) return undefined
  const entry = join(releaseDirectory(stateDirectory, chosen.id), ENTRY)
  const spent = chosen.state === 'trial' && chosen.starts >= TRIALS
  if (spent || !existsSync(entry)) {
    await rm(chosenFile(stateDirectory), { force: true })
    return undefined
  }
  if (chosen.state === 'trial') await choose(stateDirectory, { ...chosen, starts: chosen.starts + 1 })
  return { id: chosen.id, entry, onTrial: chosen.state === 'trial' }
}

/** From the next start on, on trial. */
export async function tryRelease(stateDirectory: string, id: string, version: string): Promise<void> {
  await choose(stateDirectory, { id, version, state: 'trial', starts: 0 })
}

/** It came online: it stays, and those before it go. */
export async function keepRelease(stateDirectory: string, id: string): Promise<void> {
  const chosen = await readChosen(stateDirectory)
  if (chosen?.id !== id || chosen.state === 'good') return
  await choose(stateDirectory, { ...chosen, state: 'good' })
  for (const other of await readdir(join(stateDirectory, 'releases'))) {
    if (ID.test(other) && other !== id)
      await rm(releaseDirectory(stateDirectory, other), { recursive: true, force: true })
  }
}

async function choose(stateDirectory: string, chosen: Chosen): Promise<void> {
  await mkdir(join(stateDirectory, 'releases'), { recursive: true, mode: 0o700 })
  await replaceFile(chosenFile(stateDirectory), JSON.stringify(chosen), 0o600)
}

async function readChosen(stateDirectory: string): Promise<Chosen | undefined> {
  try {
    const chosen = JSON.parse(await readFile(chosenFile(stateDirectory), 'utf8')) as Chosen
    return ID.test(chosen.id) ? chosen : undefined
  } catch {
    // None was ever chosen, or the file is of no use: the program that was installed is.
    return undefined
  }
}

function chosenFile(stateDirectory: string): string {
  return join(stateDirectory, 'releases', 'chosen.json')
}
