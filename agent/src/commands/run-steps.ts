import type { StepReply } from '@sallyport/protocol/run-command'
import type { DocumentProgress, DocumentRequest } from './document-request.ts'
import { isObject, memberOf } from './json.ts'
import { cutStream, outputOf } from './output-text.ts'
import { findPlugin } from './plugins/plugins.ts'
import type { PreparedDocument, PreparedStep } from './prepare-document.ts'
import { type Ran, runStep, type StepPlace } from './run-step.ts'

/** control-plane.md 12.5 */
const EXIT_WITH_SUCCESS = 168
const EXIT_WITH_FAILURE = 169

export type StepsEnd = {
  steps: StepReply[]
  /** Set if the machine is to be restarted first. */
  reboot: DocumentProgress | undefined
}

/** Runs the steps one after the other. `onStep` is told of each, and waited for unless it was the last. */
export async function runSteps(
  document: PreparedDocument,
  request: DocumentRequest,
  place: StepPlace,
  resume: DocumentProgress | undefined,
  onStep: (step: StepReply, progress: DocumentProgress, last: boolean) => Promise<void>,
): Promise<StepsEnd> {
  const steps = [...(resume?.steps ?? [])]
  let exit = resume?.exit ?? false
  for (const [index, step] of document.steps.entries()) {
    if (index < steps.length) continue
    const last = index === document.steps.length - 1
    const again = resume?.again?.step === step.name ? resume.again : undefined
    const startedAt = again?.startedAt ?? Date.now()
    const refusal = refuse(step, exit && !(last && isFinally(step)))
    const ran = refusal ?? (await runStep(step, document.variables, request, place, again))
    if (ran.again !== undefined) {
      return { steps, reboot: { steps, exit, again: { ...ran.again, step: step.name, startedAt } } }
    }
    const reply = { ...replyOf(step, ran), startedAt, endedAt: Date.now() }
    steps.push(reply)
    exit ||= asksForExit(step, reply)
    await onStep(reply, { steps: [...steps], exit }, last)
  }
  return { steps, reboot: undefined }
}

/** Why a step is not run at all, with the words of AWS's agent. */
function refuse(step: PreparedStep, exited: boolean): Ran | undefined {
  const { name, plugin, verdict } = step
  const ending = `Step name: ${name}`
  if (exited)
    return skip(`Plugin with name ${plugin} and id ${name} skipped due to prior step with an exit condition`)
  const known = findPlugin(plugin)
  if (known === undefined && verdict?.satisfied !== false) {
    return fail(`Plugin with name ${plugin} is not supported by this version of the agent. ${ending}`)
  }
  if (verdict === undefined) {
    if (known === 'unsupported')
      return fail(`Plugin with name ${plugin} is not supported in current platform. ${ending}`)
    if (!step.conditional) return undefined
    return fail(`Precondition is not supported for document schema version prior to 2.2. ${ending}`)
  }
  if (known === 'unsupported')
    return skip(`Step execution skipped due to unsupported plugin: ${plugin}. ${ending}`)
  const problems = verdict.problems.join(', ')
  if (!verdict.satisfied)
    return skip(`Step execution skipped due to unsatisfied preconditions: '${problems}'. ${ending}`)
  return problems === '' ? undefined : fail(`Unrecognized precondition(s): '${problems}'. ${ending}`)
}

function skip(output: string): Ran {
  return { status: 'Skipped', code: 0, stdout: '', stderr: '', output }
}

function fail(stderr: string): Ran {
  return { status: 'Failed', code: 1, stdout: '', stderr }
}

function replyOf({ name, inputs }: PreparedStep, ran: Ran): Omit<StepReply, 'startedAt' | 'endedAt'> {
  let { status, code, stdout, stderr } = ran
  // AWS's agent adds its notes to the streams alone.
  const output = ran.output ?? outputOf(stdout, code === EXIT_WITH_SUCCESS ? '' : stderr)
  const onFailure = inputText(inputs, 'onFailure')
  if (code === EXIT_WITH_SUCCESS) {
    status = 'Success'
    stdout += exitNote(code, 'succeeded')
    stderr = ''
  } else if (code === EXIT_WITH_FAILURE) {
    stdout += exitNote(code, 'Failed')
    stderr += exitNote(code, 'Failed')
  } else if (status === 'Failed' && (onFailure === 'exit' || onFailure === 'successAndExit')) {
    stdout += ON_FAILURE_NOTE
    stderr += ON_FAILURE_NOTE
    if (onFailure === 'successAndExit') [status, code] = ['Success', EXIT_WITH_SUCCESS]
  }
  const streams = { standardOutput: cutStream(stdout), standardError: cutStream(stderr) }
  return { name, status: status === '' ? 'Success' : status, code, output, ...streams }
}

const ON_FAILURE_NOTE = '\nStep was found to have onFailure property. Further document steps will be skipped.'

function exitNote(code: number, marked: string): string {
  return `\nStep exited with code ${code}. Therefore, marking step as ${marked}. Further document steps will be skipped.`
}

function asksForExit({ inputs }: PreparedStep, { status, code }: StepReply): boolean {
  if (code === EXIT_WITH_SUCCESS || code === EXIT_WITH_FAILURE) return true
  if (status === 'Failed') return inputText(inputs, 'onFailure') === 'exit'
  return status === 'Success' && inputText(inputs, 'onSuccess') === 'exit'
}

function isFinally({ inputs }: PreparedStep): boolean {
  return inputText(inputs, 'finallyStep') === 'true'
}

/** Not in a list of properties: of which element would it be? */
function inputText(inputs: unknown, name: string): string {
  const value = isObject(inputs) ? memberOf(inputs, name) : undefined
  return typeof value === 'string' || typeof value === 'boolean' ? String(value) : ''
}
