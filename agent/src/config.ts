import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { type DestinationRules, readDestinationRules } from './sessions/port/destination-rules.ts'

export type AgentConfig = {
  /** Absolute; holds the registration and nothing that is not the agent's own. */
  stateDirectory: string
  /** Whether sessions can run as other users. */
  asRoot: boolean
  /** Where port sessions may connect to. */
  destinations: DestinationRules
  /** For proxies and locale; read once, here. */
  env: Readonly<Record<string, string | undefined>>
}

export function readAgentConfig(
  env: Readonly<Record<string, string | undefined>>,
  options: { stateDir?: string | undefined },
): AgentConfig {
  const asRoot = process.getuid?.() === 0
  const given = options.stateDir ?? env.SALLYPORT_AGENT_STATE_DIR
  const stateDirectory = given ?? (asRoot ? '/var/lib/sallyport-agent' : join(homedir(), '.sallyport-agent'))
  return { stateDirectory: resolve(stateDirectory), asRoot, destinations: readDestinationRules(env), env }
}
