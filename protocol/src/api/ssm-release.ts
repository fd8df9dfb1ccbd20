import { type Infer, s } from '../aws/shape.ts'

// Ours: how agents get the version of the server that they belong to (docs/reference/agent.md).

/** Of one answer; the whole program has a few megabytes. */
export const RELEASE_CHUNK = 256 * 1024

const getAgentRelease = s.structure({})

const getAgentReleaseFile = s.structure(
  {
    ReleaseId: s.string({ pattern: '^[0-9a-f]{64}$' }),
    Path: s.string({ min: 1, max: 200 }),
    Offset: s.integer({ min: 0 }),
  },
  { required: ['ReleaseId', 'Path', 'Offset'] },
)

export const releaseOperations = {
  GetAgentRelease: { input: getAgentRelease },
  GetAgentReleaseFile: { input: getAgentReleaseFile },
} as const

export type GetAgentReleaseFileInput = Infer<typeof getAgentReleaseFile>

export type ReleaseFile = { readonly Path: string; readonly Size: number; readonly Sha256: string }

export type GetAgentReleaseOutput = {
  /** Changes with every file. */
  readonly ReleaseId: string
  readonly Version: string
  /** The least version of Node that it runs on, as `20.19`. */
  readonly Node: string
  /** What it loads that is not part of it, with the version that it was built for. */
  readonly Packages: Readonly<Record<string, string>>
  readonly Files: readonly ReleaseFile[]
}

export type GetAgentReleaseFileOutput = {
  /** Base64; empty at the end. */
  readonly Content: string
}
