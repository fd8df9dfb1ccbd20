import { join } from 'node:path'
import type { DocumentProgress, DocumentRequest, StepResult } from './document-request.ts'
import { isObject, type Json, memberOf } from './json.ts'
import { makeDirectory } from './own-directory.ts'
import { merge, type PluginEnd, type PluginRun } from './plugin.ts'
import { findPlugin } from './plugins/plugins.ts'
import type { PreparedStep } from './prepare-document.ts'
import { DOWNLOADS, stepDirectory } from './step-directory.ts'
import { StepOutput } from './step-output.ts'

/** Where the steps of a document run: of the command's own, or of one that another step runs. */
export type StepPlace = {
  directory: string
  /** Of the step that all of this is a part of; otherwise each has its own. */
  output: StepOutput | undefined
  runInner(run: PluginRun, document: unknown, parameters: Json, resume?: DocumentProgress): Promise<PluginEnd>
}

type Again = NonNullable<DocumentProgress['again']>

/** What a step came to. `output` only where it is not made of the streams. */
export type Ran = StepResult & {
  stdout: string
  stderr: string
  output?: string
  again?: Omit<Again, 'step' | 'startedAt'>
}

/** Runs all elements of a step. Never rejects because of the step. */
export async function runStep(
  step: PreparedStep,
  variables: Readonly<Record<string, string>>,
  request: DocumentRequest,
  place: StepPlace,
  again: Again | undefined,
): Promise<Ran> {
  const directory = join(place.directory, stepDirectory(step.name))
  let output = place.output
  try {
    makeDirectory(directory)
    output ??= new StepOutput(directory, request.output.open(step.name), request.resume !== undefined)
  } catch (error) {
    return { status: 'Failed', code: 1, stdout: '', stderr: (error as Error).message }
  }
  if (place.output !== undefined) {
    for (const stream of ['stdout', 'stderr'] as const) output.startLine(stream)
  }
  const common = {
    plugin: step.plugin,
    request,
    output,
    variables,
    downloads: join(request.directory, DOWNLOADS),
  }
  try {
    const ran = await runElements(step.inputs, { ...common, directory }, place, again)
    if (place.output !== undefined) return { ...ran, stdout: '', stderr: '' }
    return { ...ran, stdout: output.head('stdout'), stderr: output.head('stderr') }
  } finally {
    if (place.output === undefined) await output.close()
  }
}

type Common = Omit<PluginRun, 'inputs' | 'resume' | 'runInner'>

async function runElements(
  inputs: unknown,
  common: Common,
  place: StepPlace,
  again: Again | undefined,
): Promise<StepResult & Pick<Ran, 'again'>> {
  const elements: unknown[] = Array.isArray(inputs) ? inputs : [inputs]
  let result: StepResult = again?.result ?? { status: '', code: 0 }
  for (const [index, element] of elements.entries()) {
    if (index < (again?.element ?? 0)) continue
    const resume = index === again?.element ? again.inner : undefined
    if (index > 0 && again?.element !== index) await separate(common.output)
    const end = await runElement(element, common, place, resume)
    if (end.status === 'SuccessAndReboot') {
      const { inner } = end
      return { ...end, again: { element: index, result, ...(inner !== undefined && { inner }) } }
    }
    result = merge(result, end)
  }
  return result
}

/** As AWS's agent puts the outputs of elements together. */
async function separate(output: StepOutput): Promise<void> {
  for (const stream of ['stdout', 'stderr'] as const) {
    if (!output.isEmpty(stream)) await output.write(stream, Buffer.from('\n'))
  }
}

async function runElement(
  inputs: unknown,
  common: Common,
  place: StepPlace,
  resume: DocumentProgress | undefined,
): Promise<PluginEnd> {
  const { request, output } = common
  if (request.signal.aborted) return { status: 'Cancelled', code: 1 }
  const plugin = findPlugin(common.plugin)
  try {
    if (typeof plugin !== 'function') throw new Error(`${common.plugin} cannot be run here.`)
    const given = isObject(inputs) ? inputs : undefined
    if (given === undefined) throw new Error(`Invalid format in plugin properties: an object is needed.`)
    const id = memberOf(given, 'id')
    const directory =
      typeof id === 'string' && id !== '' ? join(common.directory, stepDirectory(id)) : common.directory
    makeDirectory(directory)
    const run: PluginRun = {
      ...common,
      directory,
      inputs: given,
      resume,
      runInner: (document, parameters, inner) => place.runInner(run, document, parameters, inner),
    }
    return await plugin(run)
  } catch (error) {
    if (request.signal.aborted) return { status: 'Cancelled', code: 137 }
    await output.say('stderr', (error as Error).message)
    return { status: 'Failed', code: 1 }
  }
}
