import type { ControlPlane } from '../control-plane.ts'
import { platformType } from '../system.ts'
import { isObject, type Json } from './json.ts'
import { type BoundParameters, bindParameters, codeValues, environmentOf } from './parameters.ts'
import { referenceInCode } from './plugins/plugins.ts'
import { evaluate, type Verdict } from './preconditions.ts'
import { readDocument, type Step } from './steps.ts'
import { resolveStored } from './stored-parameters.ts'
import { substitute } from './substitute.ts'

/** A step with everything in its place. `verdict` is undefined where preconditions mean nothing (before schema 2.2). */
export type PreparedStep = Omit<Step, 'precondition'> & {
  conditional: boolean
  verdict: Verdict | undefined
}

export type PreparedDocument = {
  steps: PreparedStep[]
  /** Parameters for the environment of scripts. */
  variables: Record<string, string>
}

/** Throws an Error for the user where the document cannot be run at all. */
export async function prepareDocument(
  json: unknown,
  given: Readonly<Json>,
  server: Pick<ControlPlane, 'call'>,
  check: (declared: Json, bound: BoundParameters) => void = () => {},
): Promise<PreparedDocument> {
  const document = readDocument(json)
  const bound = bindParameters(document.parameters, given)
  check(document.parameters, bound)
  const platform = platformType()
  const steps = document.steps.map(({ name, plugin, inputs, precondition }) => ({
    name,
    plugin,
    inputs: substituteInputs(plugin, inputs, bound),
    conditional: isObject(precondition) && Object.keys(precondition).length > 0,
    verdict: document.crossPlatform ? evaluate(precondition, bound.values, platform) : undefined,
  }))
  return await resolveStored({ steps, variables: environmentOf(bound) }, server)
}

/** Of a script's inputs only the script is code; where everything is one reference, anything may become it. */
function substituteInputs(plugin: string, inputs: unknown, bound: BoundParameters): unknown {
  const refer = referenceInCode(plugin)
  if (refer === undefined) return substitute(inputs, bound.values)
  const code = codeValues(bound, refer)
  const one = (element: unknown): unknown => {
    if (!isObject(element)) return substitute(element, code)
    const members = Object.entries(element).map(([key, value]) => [
      key,
      substitute(value, key.toLowerCase() === 'runcommand' ? code : bound.values),
    ])
    return Object.fromEntries(members)
  }
  return Array.isArray(inputs) ? inputs.map(one) : one(inputs)
}
