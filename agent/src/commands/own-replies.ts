import type { CommandReply, DocumentStatus } from '@sallyport/protocol/run-command'
import { readCommand, stepNames } from './job.ts'

export const CANCELLED = ownReply('Cancelled', 'The command was cancelled.')
export const NOT_REBOOTED = ownReply(
  'Failed',
  'The node was told to restart, and had not done so 10 minutes later. Look at SALLYPORT_REBOOT_COMMAND of its agent.',
)

/** What the agent says of a command without its document having come to an end. */
export function ownReply(status: DocumentStatus, trace: string): CommandReply {
  return { status, trace, steps: [] }
}

/** What a step was doing when the agent died is not known: neither it nor what follows is run (again). */
export function interrupted(commandId: string, content: string, finished: number): CommandReply {
  const name = stepNames(readCommand(commandId, content).document)[finished]
  const what = name === undefined ? 'the command' : `step ${name}`
  const trace = `The agent on the node was restarted while ${what} ran. It is not run again, and no step after it is run.`
  const unknown = {
    output: trace,
    standardOutput: '',
    standardError: trace,
    startedAt: undefined,
    endedAt: undefined,
  }
  const steps = name === undefined ? [] : [{ name, status: 'Failed' as const, code: 1, ...unknown }]
  return { status: 'Failed', trace, steps }
}
