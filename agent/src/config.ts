import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { type DestinationRules, readDestinationRules } from './sessions/port/destination-rules.ts'

/** Commands that run at once, and that wait; what comes then is refused, and comes again. */
export type CommandLimits = { running: number; waiting: number }
const COMMAND_LIMITS: CommandLimits = { running: 10, waiting: 100 }
/** As root; with a `SALLYPORT_REBOOT_COMMAND`, that. */
const REBOOT_COMMAND = ['shutdown', '-r', 'now']

export type AgentConfig = {
  /** Absolute; holds the registration and nothing that is not the agent's own. */
  stateDirectory: string
  /** Whether sessions can run as other users. */
  asRoot: boolean
  /** Where port sessions may connect to. */
  destinations: DestinationRules
  commands: CommandLimits
  /** For each process of a command; none unless set. */
  commandMemoryMiB: number | undefined
  /** A program and its arguments, run when a command asks for a reboot. */
  rebootCommand: readonly string[]
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
  const rebootCommand = env.SALLYPORT_REBOOT_COMMAND?.split(/\s+/).filter(word => word !== '') ?? []
  return {
    stateDirectory: resolve(stateDirectory),
    asRoot,
    destinations: readDestinationRules(env),
    commands: COMMAND_LIMITS,
    commandMemoryMiB: readMemory(env.SALLYPORT_COMMAND_MEMORY),
    rebootCommand: rebootCommand.length > 0 ? rebootCommand : REBOOT_COMMAND,
    env,
  }
}

function readMemory(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  const mebibytes = Number(text)
  if (Number.isSafeInteger(mebibytes) && mebibytes > 0) return mebibytes
  throw new Error(
    `SALLYPORT_COMMAND_MEMORY is ${JSON.stringify(text)}, but must be a number of MiB, such as 512.`,
  )
}
