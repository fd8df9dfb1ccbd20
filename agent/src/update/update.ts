import { createHash } from 'node:crypto'
import { existsSync, realpathSync } from 'node:fs'
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type {
  GetAgentReleaseFileOutput,
  GetAgentReleaseOutput,
  ReleaseFile,
} from '@sallyport/protocol/api/ssm-release'
import { isVersionSince } from '@sallyport/protocol/versions'
import type { UpdateInput } from '../commands/document-request.ts'
import type { ControlPlane } from '../control-plane.ts'
import { describeProgram, isReleaseId, releaseDirectory, tryRelease } from './releases.ts'

/** A server of ours sends some two megabytes in fifty files. */
const MAXIMUM_FILES = 1_000
const MAXIMUM_SIZE = 64 * 1024 * 1024
const PATH = /^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/

export type UpdateOptions = {
  server: Pick<ControlPlane, 'call'>
  stateDirectory: string
  /** The script that runs: what it loads is what the new one will load. */
  program: string
  /** The script that was installed, which may be an older one. */
  installed: string
}

/** `replaced`: the new version is there and runs once the agent starts again. */
export type Updated = { message: string; replaced: boolean }

/**
 * Brings the version of the server here, verified by the hashes that the server told over the pinned connection. Rejects with what
 * to do if it cannot run on this machine; nothing has changed then.
 */
export async function updateAgent(options: UpdateOptions, wanted: UpdateInput): Promise<Updated> {
  const running = describeProgram(options.program)
  if (running === undefined) {
    throw new Error('This agent runs from its sources, not from a build. Update the sources.')
  }
  const release = (await options.server.call('GetAgentRelease', {})) as GetAgentReleaseOutput
  checkWanted(release, running.Version, wanted)
  if (release.ReleaseId === running.ReleaseId) {
    return { message: `The agent is up to date: version ${running.Version}.`, replaced: false }
  }
  checkMachine(release, options.program)
  checkFiles(release.Files)
  // It becomes the name of a directory, and what is in its place is removed.
  if (!isReleaseId(release.ReleaseId)) {
    throw new Error(`The release of the server has the id ${JSON.stringify(release.ReleaseId)}.`)
  }
  await fetchRelease(options, release, wanted.signal)
  const { ReleaseId: id, Version: version } = release
  const installed = describeProgram(options.installed)?.ReleaseId
  await tryRelease(options.stateDirectory, { id, version }, installed)
  const message = `Version ${release.Version} (${release.ReleaseId.slice(0, 12)}) is in place of ${running.Version} (${running.ReleaseId.slice(0, 12)}). It runs as soon as no session and no command does.`
  return { message, replaced: true }
}

function checkWanted(release: GetAgentReleaseOutput, version: string, wanted: UpdateInput): void {
  if (wanted.targetVersion !== '' && wanted.targetVersion !== release.Version) {
    throw new Error(
      `The server has version ${release.Version} of the agent, not ${wanted.targetVersion}. Update the server first, or leave the version out.`,
    )
  }
  if (!wanted.allowDowngrade && !isVersionSince(release.Version, version)) {
    throw new Error(
      `Version ${release.Version} of the server is older than ${version}, which runs here. To go back to it, set allowDowngrade to true.`,
    )
  }
}

function checkMachine({ Node, Packages, Version }: GetAgentReleaseOutput, program: string): void {
  const byHand = `Install version ${Version} of Sallyport on this machine by hand.`
  if (!isVersionSince(process.versions.node, Node)) {
    throw new Error(
      `Version ${Version} needs Node.js ${Node}, and this is ${process.versions.node}. ${byHand}`,
    )
  }
  for (const [name, wanted] of Object.entries(Packages)) {
    const found = packageVersion(program, name)
    if (found !== wanted)
      throw new Error(
        `Version ${Version} needs ${name} ${wanted}, and there is ${found ?? 'none'} here. ${byHand}`,
      )
  }
}

/** Untrusted as anything that comes from elsewhere: a path must not lead out of the release. */
function checkFiles(files: readonly ReleaseFile[]): void {
  const size = files.reduce((sum, { Size }) => sum + (Size >= 0 ? Size : Number.NaN), 0)
  if (files.length > MAXIMUM_FILES || !(size <= MAXIMUM_SIZE))
    throw new Error(
      `The release of the server has ${files.length} files of ${size} bytes, which is too much.`,
    )
  const odd = files.find(({ Path }) => !PATH.test(Path))
  if (odd !== undefined) throw new Error(`The release of the server has a file ${JSON.stringify(odd.Path)}.`)
}

async function fetchRelease(
  options: UpdateOptions,
  release: GetAgentReleaseOutput,
  signal: AbortSignal,
): Promise<void> {
  const directory = releaseDirectory(options.stateDirectory, release.ReleaseId)
  const partial = `${directory}.partial`
  await rm(partial, { recursive: true, force: true })
  try {
    for (const file of release.Files) {
      signal.throwIfAborted()
      const path = join(partial, 'dist', file.Path)
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      const bytes = await fetchFile(options, release.ReleaseId, file)
      // Flushed: a machine that dies soon after must not find itself with an agent of empty files.
      await writeFile(path, bytes, { mode: file.Path.startsWith('bin/') ? 0o700 : 0o600, flush: true })
    }
    // The packages that were installed with the agent serve this version too.
    const modules = modulesDirectory(options.program)
    if (modules !== undefined) await symlink(modules, join(partial, 'node_modules'))
    await rm(directory, { recursive: true, force: true })
    await rename(partial, directory)
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw error
  }
}

async function fetchFile(options: UpdateOptions, ReleaseId: string, file: ReleaseFile): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  for (let offset = 0; offset < file.Size; ) {
    const input = { ReleaseId, Path: file.Path, Offset: offset }
    const { Content } = (await options.server.call('GetAgentReleaseFile', input)) as GetAgentReleaseFileOutput
    const chunk = Buffer.from(Content, 'base64')
    if (chunk.length === 0 || offset + chunk.length > file.Size)
      throw new Error(`The server sent ${offset + chunk.length} bytes of ${file.Path}, not ${file.Size}.`)
    chunks.push(chunk)
    offset += chunk.length
  }
  const bytes = Buffer.concat(chunks)
  if (createHash('sha256').update(bytes).digest('hex') !== file.Sha256)
    throw new Error(`The server sent ${file.Path} otherwise than it said. Try again.`)
  return bytes
}

function packageVersion(program: string, name: string): string | undefined {
  try {
    const load = createRequire(program)
    return (load(`${name}/package.json`) as { version?: string }).version
  } catch {
    return undefined
  }
}

/** Where the packages really are, as the program may be a release that goes; undefined if it has none. */
function modulesDirectory(program: string): string | undefined {
  const paths = createRequire(program).resolve.paths('any') ?? []
  const found = paths.find(path => existsSync(path))
  return found === undefined ? undefined : realpathSync(found)
}
