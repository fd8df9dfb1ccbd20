import type { DocumentStatus } from '@sallyport/protocol/run-command'
import type { DocumentProgress, DocumentRequest, StepResult } from './document-request.ts'
import type { Json } from './json.ts'
import type { StepOutput } from './step-output.ts'

/** What a plugin gets to do its work: one step, or one element of a step of schema 1.x. */
export type PluginRun = {
  plugin: string
  /** With all parameters in their places. */
  inputs: Json
  request: DocumentRequest
  output: StepOutput
  /** For files of its own; exists. */
  directory: string
  /** Of the command; need not exist. */
  downloads: string
  /** Parameters for the environment of scripts. */
  variables: Readonly<Record<string, string>>
  /** Where it was when it asked for a reboot. */
  resume: DocumentProgress | undefined
  /** Runs the steps of another document as a part of this one, all of their output in its own. */
  runInner(document: unknown, parameters: Json, resume?: DocumentProgress): Promise<PluginEnd>
}

/** SuccessAndReboot: run it again after a reboot, with `inner` for `resume`. */
export type PluginEnd = StepResult & { inner?: DocumentProgress | undefined }

/** What it throws is for the user, and fails the step with code 1. */
export type Plugin = (run: PluginRun) => Promise<PluginEnd>

export const SUCCEEDED: PluginEnd = { status: 'Success', code: 0 }

/** From what is left of to what is right of another one; the later wins (as AWS's agent merges). */
const ORDER: readonly (DocumentStatus | '')[] = [
  '',
  'Skipped',
  'Success',
  'SuccessAndReboot',
  'PassedAndReboot',
  'NotStarted',
  'InProgress',
  'Failed',
  'Cancelled',
  'TimedOut',
]

/** The status of one step of what its parts came to, and the first code that tells of a failure. */
export function merge(first: StepResult, second: StepResult): StepResult {
  const later = ORDER.indexOf(second.status) >= ORDER.indexOf(first.status) ? second : first
  return { status: later.status, code: first.code === 0 ? second.code : first.code }
}
