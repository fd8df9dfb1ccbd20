import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join, relative, sep } from 'node:path'
import type { GetAgentReleaseOutput } from '@sallyport/protocol/api/ssm-release'

const ENTRY = 'sallyport.js'
/** Written by the build: what cannot be told from the files, and an id for all of them together. */
const DESCRIPTION = 'release.json'

type Description = Omit<GetAgentReleaseOutput, 'Files'>

/** The program that this server runs, which is the agent's too: what nodes update themselves to. */
export class AgentRelease {
  readonly #directory: string | undefined
  #loaded: Promise<Loaded | undefined> | undefined

  /** `program` is the script that runs, `process.argv[1]`; without a built one beside it there is no release. */
  constructor(program: string | undefined) {
    this.#directory = program !== undefined && basename(program) === ENTRY ? dirname(program) : undefined
  }

  /** Undefined where the server was not started from a build. */
  async manifest(): Promise<GetAgentReleaseOutput | undefined> {
    return (await this.#load())?.manifest
  }

  /** Undefined if there is no such release (any more) or no such file in it. */
  async file(releaseId: string, path: string): Promise<Uint8Array | undefined> {
    const loaded = await this.#load()
    return loaded?.manifest.ReleaseId === releaseId ? loaded.files.get(path) : undefined
  }

  #load(): Promise<Loaded | undefined> {
    // As it was when it was first asked for: files that are replaced while the server runs are not mixed.
    this.#loaded ??= this.#directory === undefined ? Promise.resolve(undefined) : load(this.#directory)
    // What cannot be read now, in the middle of a build for instance, may be readable when it is asked for again.
    this.#loaded.catch(() => {
      this.#loaded = undefined
    })
    return this.#loaded
  }
}

type Loaded = { manifest: GetAgentReleaseOutput; files: ReadonlyMap<string, Uint8Array> }

async function load(directory: string): Promise<Loaded> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter(entry => entry.isFile())
    .map(entry => relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort()
  const files = new Map<string, Uint8Array>()
  for (const path of paths) files.set(path, await readFile(join(directory, path)))
  const list = [...files].map(([Path, bytes]) => ({ Path, Size: bytes.length, Sha256: sha256(bytes) }))
  const description = JSON.parse(await readFile(join(directory, DESCRIPTION), 'utf8')) as Description
  return {
    files,
    manifest: { ...description, Files: list },
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
