import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { GetAgentReleaseOutput } from '@sallyport/protocol/api/ssm-release'
import { replaceFile } from '../replace-file.ts'

// What an agent that updated itself keeps: `releases/<id>/dist/…`, and which of them it runs.

/** A release that has not come online by its fourth start is given up. */
const TRIALS = 3
const ENTRY = 'dist/sallyport.js'
const ID = /^[0-9a-f]{64}$/
/** Of releases, also of one that was not wholly brought here. */
const DIRECTORY = /^[0-9a-f]{64}(\.partial)?$/

type Release = { id: string; version: string }
type Chosen = Release & {
  /** `trial` until it has been online once. */
  state: 'trial' | 'good'
  starts: number
  /** Id of the installed program that it was chosen over: whoever installs another one by hand wants that. */
  installed: string | undefined
  /** What ran before, while this one is on trial; undefined for the installed program. */
  former?: Release | undefined
}

/** `onTrial`: it has not been online yet. */
export type RunningRelease = { id: string; entry: string; onTrial: boolean }

/** Whether it may become the name of a directory (security-cases.md 42). */
export function isReleaseId(text: unknown): text is string {
  return typeof text === 'string' && ID.test(text)
}

export function releaseDirectory(stateDirectory: string, id: string): string {
  return join(stateDirectory, 'releases', id)
}

/** What the build has written beside a program; undefined for one that runs from its sources. */
export function describeProgram(
  program: string,
): Pick<GetAgentReleaseOutput, 'ReleaseId' | 'Version'> | undefined {
  const file = join(dirname(program), 'release.json')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

/**
 * The program that is to run in place of the installed one; undefined if that is the one. Counts the starts of a release
 * that has not proved itself: one that never comes online is dropped, and the agent is as it was before.
 */
export async function releaseToRun(
  stateDirectory: string,
  installed: string | undefined,
): Promise<RunningRelease | undefined> {
  const chosen = await readChosen(stateDirectory)
  if (chosen === undefined) return undefined
  if (chosen.installed !== installed) return await runInstalled(stateDirectory)
  const entry = entryOf(stateDirectory, chosen.id)
  const spent = chosen.state === 'trial' && chosen.starts >= TRIALS
  if (spent || !existsSync(entry)) return await fallBack(stateDirectory, chosen)
  if (chosen.state === 'trial') await choose(stateDirectory, { ...chosen, starts: chosen.starts + 1 })
  return { id: chosen.id, entry, onTrial: chosen.state === 'trial' }
}

/** From the next start on, on trial. */
export async function tryRelease(
  stateDirectory: string,
  { id, version }: Release,
  installed: string | undefined,
): Promise<void> {
  const before = await readChosen(stateDirectory)
  const former = before?.state === 'good' ? { id: before.id, version: before.version } : before?.former
  const others = former?.id === id ? {} : { former }
  await choose(stateDirectory, { id, version, state: 'trial', starts: 0, installed, ...others })
}

/** It came online: it stays, and those before it go. */
export async function keepRelease(stateDirectory: string, id: string): Promise<void> {
  const chosen = await readChosen(stateDirectory)
  if (chosen?.id !== id || chosen.state === 'good') return
  const { former, ...kept } = chosen
  await choose(stateDirectory, { ...kept, state: 'good' })
  for (const other of await readdir(join(stateDirectory, 'releases'))) {
    if (DIRECTORY.test(other) && other !== id)
      await rm(releaseDirectory(stateDirectory, other), { recursive: true, force: true })
  }
}

async function fallBack(
  stateDirectory: string,
  { id, former, installed }: Chosen,
): Promise<RunningRelease | undefined> {
  const entry = former === undefined ? undefined : entryOf(stateDirectory, former.id)
  if (former === undefined || entry === undefined || !existsSync(entry)) {
    return await runInstalled(stateDirectory)
  }
  await choose(stateDirectory, { ...former, state: 'good', starts: 0, installed })
  await rm(releaseDirectory(stateDirectory, id), { recursive: true, force: true })
  return { id: former.id, entry, onTrial: false }
}

async function runInstalled(stateDirectory: string): Promise<undefined> {
  await rm(join(stateDirectory, 'releases'), { recursive: true, force: true })
}

function entryOf(stateDirectory: string, id: string): string {
  return join(releaseDirectory(stateDirectory, id), ENTRY)
}

async function choose(stateDirectory: string, chosen: Chosen): Promise<void> {
  await mkdir(join(stateDirectory, 'releases'), { recursive: true, mode: 0o700 })
  await replaceFile(chosenFile(stateDirectory), JSON.stringify(chosen), 0o600)
}

async function readChosen(stateDirectory: string): Promise<Chosen | undefined> {
  try {
    const chosen = JSON.parse(await readFile(chosenFile(stateDirectory), 'utf8')) as Chosen
    return isReleaseId(chosen.id) ? chosen : undefined
  } catch {
    // None was ever chosen, or the file is of no use: the program that was installed is.
    return undefined
  }
}

function chosenFile(stateDirectory: string): string {
  return join(stateDirectory, 'releases', 'chosen.json')
}
