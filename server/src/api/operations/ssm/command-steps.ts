import type { CommandPlugin } from '@sallyport/protocol/api/ssm-commands'
import { AwsError } from '@sallyport/protocol/aws/error'
import { type CommandDocument, stepNames } from '@sallyport/server/documents/command-document'
import type { InvocationRow, Json, StepResultRow } from '@sallyport/server/store/schema'

/** A step of a document on one node, whether it has run there or not. */
export type StepView = {
  name: string
  status: CommandPlugin['Status']
  details: string
  /** -1 until it has ended. */
  code: number
  startedAt: number | null
  endedAt: number | null
  output: string
  standardOutput: string
  standardError: string
  ended: boolean
}

type Told = Pick<InvocationRow, 'status' | 'details' | 'acceptedAt' | 'endedAt'>

/** The steps of a stored document, under the names that nodes tell of them by. */
export function stepsOf(documentContent: Json): string[] {
  return stepNames(documentContent as unknown as CommandDocument)
}

/** The step that a request means. Throws `InvalidPluginName` where that is none, or might be any of several. */
export function chosenStep(names: readonly string[], given: string | undefined): string {
  const [only] = names
  if (given === undefined && only !== undefined && names.length === 1) return only
  if (given !== undefined && names.includes(given)) return given
  const choice = `Its steps are ${names.join(', ')}.`
  throw new AwsError(
    'InvalidPluginName',
    given === undefined
      ? `The document has several steps; PluginName has to name one. ${choice}`
      : `The document has no step '${given}'. ${choice}`,
  )
}

/**
 * All steps of an invocation, in the order of the document. Of those that nothing was heard of the first is running once
 * the node has the command; when the invocation has ended without them they ended as it did.
 */
export function viewSteps(
  names: readonly string[],
  invocation: Told,
  results: readonly StepResultRow[],
): StepView[] {
  const byName = new Map(results.map(result => [result.stepName, result]))
  let running = invocation.acceptedAt !== null
  return names.map(name => {
    const result = byName.get(name)
    const view = result === undefined ? unheardOf(name, invocation, running) : viewResult(result, invocation)
    if (!view.ended) running = false
    return view
  })
}

function unheardOf(name: string, { status, details, endedAt }: Told, running: boolean): StepView {
  const nothing = {
    code: -1,
    startedAt: null,
    endedAt: null,
    output: '',
    standardOutput: '',
    standardError: '',
  }
  const ended = endedAt !== null
  if (!ended) {
    const now = running ? 'InProgress' : 'Pending'
    return { name, ...nothing, status: now, details: now, ended }
  }
  // What has ended is neither of the two that steps do not know.
  return { name, ...nothing, status: status as StepView['status'], details, ended }
}

function viewResult(result: StepResultRow, invocation: Told): StepView {
  const [status, details] = statusOf(result.status, invocation)
  const ended = status !== 'InProgress' && status !== 'Pending'
  return {
    name: result.stepName,
    status,
    details,
    code: ended ? result.code : -1,
    startedAt: result.startedAt,
    endedAt: ended ? result.endedAt : null,
    output: result.output,
    standardOutput: result.standardOutput,
    standardError: result.standardError,
    ended,
  }
}

/** control-plane.md 21.3; the statuses of agents are in 10.3. */
function statusOf(
  told: string,
  { endedAt, status, details }: Told,
): readonly [status: StepView['status'], details: string] {
  switch (told) {
    case 'Success':
    case 'Skipped':
      return ['Success', 'Success']
    case 'TimedOut':
      return ['TimedOut', 'ExecutionTimedOut']
    case 'Failed':
    case 'Cancelled':
      return [told, told]
    default: {
      // Begun, or on its way through a reboot. Whatever ended the invocation ended this step.
      const now = told === 'NotStarted' ? 'Pending' : 'InProgress'
      return endedAt === null ? [now, now] : [status as StepView['status'], details]
    }
  }
}

/** Of all steps together: that of the first that went wrong, else that of the last. -1 if none told of one. */
export function responseCode(results: readonly Pick<StepResultRow, 'status' | 'code'>[]): number {
  const bad = results.find(({ status }) => ['Failed', 'TimedOut', 'Cancelled'].includes(status))
  return (bad ?? results.at(-1))?.code ?? -1
}

/** Rows by what `keyOf` makes of each, in their order. */
export function grouped<T>(rows: readonly T[], keyOf: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const row of rows) {
    const key = keyOf(row)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return groups
}
