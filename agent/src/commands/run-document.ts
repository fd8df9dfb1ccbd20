import type { DocumentStatus, StepReply } from '@sallyport/protocol/run-command'
import { checkParameters } from './check-parameters.ts'
import type { DocumentOutcome, DocumentProgress, DocumentRequest } from './document-request.ts'
import type { Json } from './json.ts'
import { merge, type PluginEnd, type PluginRun } from './plugin.ts'
import { prepareDocument } from './prepare-document.ts'
import type { StepPlace } from './run-step.ts'
import { runSteps } from './run-steps.ts'

/** As AWS's agent has it. */
const MAXIMUM_DEPTH = 3

/** Runs a command document (control-plane.md 12). Never rejects because of the document. */
export async function runDocument(request: DocumentRequest): Promise<DocumentOutcome> {
  const { document, parameters, server, resume } = request
  const prepared = await prepareDocument(document, parameters, server).catch((error: Error) => error)
  if (prepared instanceof Error) {
    return { status: 'Failed', trace: prepared.message, steps: resume?.steps ?? [], reboot: false }
  }
  const place = placeOf(request, request.directory, 0)
  const told = async (step: StepReply, progress: DocumentProgress, last: boolean): Promise<void> => {
    request.onStep(step)
    if (!last) await request.onProgress(progress)
  }
  const { steps, reboot } = await runSteps(prepared, request, place, resume, told)
  if (reboot === undefined) return { status: statusOf(steps), trace: '', steps, reboot: false }
  await request.onProgress(reboot)
  try {
    await request.reboot()
  } catch (error) {
    return {
      status: 'Failed',
      trace: `The machine could not be restarted: ${(error as Error).message}`,
      steps,
      reboot: false,
    }
  }
  return { status: 'SuccessAndReboot', trace: '', steps, reboot: true }
}

function placeOf(
  request: DocumentRequest,
  directory: string,
  depth: number,
  output?: PluginRun['output'],
): StepPlace {
  return {
    directory,
    output,
    runInner: (run, document, parameters, resume) =>
      runInner(request, run, depth + 1, document, parameters, resume),
  }
}

async function runInner(
  request: DocumentRequest,
  run: PluginRun,
  depth: number,
  json: unknown,
  parameters: Json,
  resume: DocumentProgress | undefined,
): Promise<PluginEnd> {
  if (depth > MAXIMUM_DEPTH) {
    throw new Error(
      `Maximum depth for document execution exceeded. Maximum depth permitted - ${MAXIMUM_DEPTH} and current depth - ${depth}`,
    )
  }
  const document = await prepareDocument(json, parameters, request.server, checkParameters)
  const place = placeOf(request, run.directory, depth, run.output)
  const tell = async (step: StepReply): Promise<void> => {
    // What ran has written its output already; this is what is said about it.
    await run.output.say('stdout', step.standardOutput)
    await run.output.say('stderr', step.standardError)
  }
  const { steps, reboot } = await runSteps(document, request, place, resume, tell)
  if (reboot !== undefined) return { status: 'SuccessAndReboot', code: 0, inner: reboot }
  const { status, code } = steps.reduce(merge, { status: '' as DocumentStatus | '', code: 0 })
  // Its own exit codes are not those of the step that ran it (control-plane.md 12.5).
  if (status === 'Success' || status === 'Skipped' || status === '') return { status, code: 0 }
  return { status, code: code === 0 || code === 168 || code === 169 ? 1 : code }
}

/** data-plane.md 8.4, from the first that any step has. */
const PRECEDENCE: readonly DocumentStatus[] = ['Failed', 'TimedOut', 'Cancelled']

function statusOf(steps: readonly StepReply[]): DocumentStatus {
  return PRECEDENCE.find(status => steps.some(step => step.status === status)) ?? 'Success'
}
