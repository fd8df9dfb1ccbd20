import type { DocumentStatus, StepReply } from '@sallyport/protocol/run-command'
import type { ControlPlane } from '../control-plane.ts'
import type { Log } from '../log.ts'
import type { DestinationRules } from '../sessions/port/destination-rules.ts'

/**
 * Where the output of steps goes while they run, beside their files `<directory>/<stepDirectory(step)>/stdout` and
 * `stderr`. After a reboot the files go on where they were, and so does what is written here.
 */
export type OutputSink = { open(step: string): StepOutputSink }

export type StepOutputSink = {
  /** Called after the same bytes are in the step's file. What is beyond the file's bound is not written. */
  write(stream: 'stdout' | 'stderr', bytes: Uint8Array): void
  /** Once, after the last write; `truncated` where the file's bound cut something off. */
  finish(truncated: { stdout: boolean; stderr: boolean }): Promise<void>
}

/** What must survive a reboot: plain JSON. Steps that are in it are not run again. */
export type DocumentProgress = {
  steps: StepReply[]
  /** The last step asked to end the document: of the rest only the finally step runs. */
  exit: boolean
  /** The step that asked for the reboot and is run again: from which element of its properties (schema 1.x) ... */
  again?: {
    step: string
    element: number
    /** ... with what the elements before it came to ... */
    result?: StepResult
    startedAt?: number
    /** ... and, for aws:runDocument, how far the inner document was. */
    inner?: DocumentProgress
  }
}

/** What a step came to, apart from its output. An empty status: nothing yet. */
export type StepResult = { status: DocumentStatus | ''; code: number }

export type DocumentRequest = {
  commandId: string
  nodeId: string
  documentName: string
  /** DocumentContent as received (control-plane.md 10.1). */
  document: unknown
  parameters: Record<string, unknown>
  /** The command's own, 0700, exists. */
  directory: string
  /** Aborts when the command is cancelled. */
  signal: AbortSignal
  resume?: DocumentProgress
  server: Pick<ControlPlane, 'call'>
  environment: DocumentEnvironment
  log: Log
  /** Each finished step. */
  onStep(result: StepReply): void
  /** To be made durable before it resolves: before the next step, and before a reboot. */
  onProgress(progress: DocumentProgress): Promise<void>
  output: OutputSink
  reboot(): Promise<void>
  /** What aws:updateSsmAgent does, where an agent can update itself. */
  update?: (input: UpdateInput) => Promise<UpdateOutcome>
}

export type DocumentEnvironment = {
  region: string
  /** The agent's own, which scripts inherit: proxies, locale, time zone. */
  variables: Readonly<Record<string, string | undefined>>
  /** Where nothing may be downloaded from. */
  destinations: DestinationRules
  /** What each process of a script may have at most; no limit without it. */
  memoryMiB?: number | undefined
}

/** Texts as the document has them; empty where it says nothing. */
export type UpdateInput = { targetVersion: string; allowDowngrade: boolean; signal: AbortSignal }
export type UpdateOutcome = { status: DocumentStatus; code: number; stdout: string; stderr: string }

export type DocumentOutcome = {
  status: DocumentStatus
  /** Why the document could not be run at all; otherwise empty. */
  trace: string
  steps: StepReply[]
  /** True: `reboot` was called, and the document goes on after it with `resume`. */
  reboot: boolean
}
