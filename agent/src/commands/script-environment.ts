import { homedir } from 'node:os'
import { describeSystem } from '../system.ts'
import { isObject, type Json, memberOf } from './json.ts'
import type { PluginRun } from './plugin.ts'
import { asText } from './substitute.ts'

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** What is meant for the agent alone: its settings, and what its service manager told it (systemd.exec(5)). */
const OF_THE_AGENT =
  /^(?:SALLYPORT_.*|NODE_.*|NOTIFY_SOCKET|LISTEN_.*|INVOCATION_ID|JOURNAL_STREAM|WATCHDOG_.*|MAINPID|CREDENTIALS_DIRECTORY)$/
const NAME = /^[^=\0]+$/

let system: Promise<Record<string, string>> | undefined

/** The environment of a script (control-plane.md 12.5): nothing that a document or a parameter says replaces ours. */
export async function scriptEnvironment(run: PluginRun): Promise<Record<string, string>> {
  const { commandId, nodeId, environment } = run.request
  system ??= describeSystem(nodeId)
  const { PlatformName = '', PlatformVersion = '' } = await system
  return {
    PATH,
    HOME: homedir(),
    ...inherited(environment.variables),
    ...given(run.inputs),
    ...run.variables,
    SSM_COMMAND_ID: commandId,
    AWS_SSM_INSTANCE_ID: nodeId,
    AWS_SSM_REGION_NAME: environment.region,
    AWS_SSM_PLATFORM_NAME: PlatformName,
    AWS_SSM_PLATFORM_VERSION: PlatformVersion,
  }
}

function inherited(variables: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const entries = Object.entries(variables).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !OF_THE_AGENT.test(entry[0]),
  )
  return Object.fromEntries(entries)
}

function given(inputs: Json): Record<string, string> {
  const environment = memberOf(inputs, 'environment') ?? {}
  if (!isObject(environment)) throw new Error('environment must be an object of names and texts.')
  const wrong = Object.keys(environment).find(name => !NAME.test(name))
  if (wrong !== undefined) throw new Error(`environment has ${JSON.stringify(wrong)}, which is no name.`)
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, asText(value)]))
}
