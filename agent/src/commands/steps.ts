import { isObject, type Json, memberOf } from './json.ts'
import { stepDirectory } from './step-directory.ts'

/** One result. `inputs` of schema 1.x may be a list: its elements run one by one (control-plane.md 12.1). */
export type Step = { name: string; plugin: string; inputs: unknown; precondition: unknown }

export type CommandDocument = {
  /** Declarations, by name. */
  parameters: Json
  steps: Step[]
  /** Schema 2.2: preconditions are evaluated, and what this platform does not have is skipped. */
  crossPlatform: boolean
}

const WITH_PLUGINS = ['1.0', '1.2']
const WITH_STEPS = ['2.0', '2.0.1', '2.0.2', '2.0.3', '2.2']
const CROSS_PLATFORM = '2.2'
const MAXIMUM_STEPS = 1_000

/** Reads a command document. Throws an Error with a text for the user. */
export function readDocument(json: unknown): CommandDocument {
  if (!isObject(json)) throw new Error('The document is not a JSON object.')
  const version = String(json.schemaVersion)
  const known = [...WITH_PLUGINS, ...WITH_STEPS].includes(version)
  if (!known) throw new Error(`A document of schema version ${version} cannot be run on a node.`)
  const parameters = json.parameters ?? {}
  if (!isObject(parameters)) throw new Error('parameters of the document must be an object.')
  const steps = WITH_PLUGINS.includes(version) ? readPlugins(json.runtimeConfig) : readSteps(json.mainSteps)
  if (steps.length === 0) throw new Error('The document has no steps.')
  if (steps.length > MAXIMUM_STEPS) throw new Error(`The document has more than ${MAXIMUM_STEPS} steps.`)
  checkNames(steps)
  return { parameters, steps, crossPlatform: version === CROSS_PLATFORM }
}

function readPlugins(config: unknown): Step[] {
  if (!isObject(config)) throw new Error('runtimeConfig of the document must be an object.')
  return Object.entries(config).map(([plugin, settings]) => {
    if (!isObject(settings)) throw new Error(`runtimeConfig.${plugin} must be an object.`)
    return { name: plugin, plugin, inputs: memberOf(settings, 'properties'), precondition: undefined }
  })
}

function readSteps(steps: unknown): Step[] {
  if (!Array.isArray(steps)) throw new Error('mainSteps of the document must be a list.')
  return steps.map((step: unknown, index) => {
    const place = `mainSteps[${index}]`
    if (!isObject(step)) throw new Error(`${place} must be an object.`)
    const [plugin, name] = [memberOf(step, 'action'), memberOf(step, 'name')]
    if (typeof plugin !== 'string' || plugin === '') throw new Error(`${place}.action is missing.`)
    if (typeof name !== 'string' || name === '') throw new Error(`${place}.name is missing.`)
    const inputs = memberOf(step, 'inputs') ?? {}
    return { name, plugin, inputs, precondition: memberOf(step, 'precondition') }
  })
}

/** Results and directories go by the name; on some systems case makes no difference in the latter. */
function checkNames(steps: readonly Step[]): void {
  const directories = new Set<string>()
  for (const { name } of steps) {
    const directory = stepDirectory(name).toLowerCase()
    if (directories.has(directory)) throw new Error(`Two steps of the document have the name '${name}'.`)
    directories.add(directory)
  }
}
