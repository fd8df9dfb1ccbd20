import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { operation } from '../../operation.ts'
import { findInvocation } from './command-invocation.ts'
import type { CommandSettings } from './command-settings.ts'
import { chosenStep, stepsOf, viewSteps } from './command-steps.ts'
import { cloudWatchOf } from './commands.ts'

/** Characters (control-plane.md 21.2). The whole is had by GetCommandOutput. */
const MAXIMUM_STDOUT = 24_000
const MAXIMUM_STDERR = 8_000
/** As agents mark what they cut themselves (control-plane.md 10.2). */
const CUT_MARK = '--output truncated--'

/** control-plane.md 21. Of a document with one step it is the invocation's own status, else that of the step. */
export const getCommandInvocation = operation({
  input: ssmOperations.GetCommandInvocation.input,
  callers: ['person'],
  run: async (context, input) => {
    const { store, scope } = context
    const { command, invocation } = await findInvocation(context, input)
    const { commandId, nodeId } = invocation
    const names = stepsOf(command.documentContent)
    const name = chosenStep(names, input.PluginName)
    const results = await store.stepResults.of(scope, commandId, [nodeId])
    const step = viewSteps(names, invocation, results).find(view => view.name === name)
    const { startedAt = null, endedAt = null } = step ?? {}
    const whole = names.length === 1 || step === undefined
    return {
      CommandId: commandId,
      InstanceId: nodeId,
      Comment: command.comment,
      DocumentName: command.documentName,
      DocumentVersion: command.documentVersion,
      PluginName: name,
      ResponseCode: step?.code ?? -1,
      ...times(startedAt, endedAt),
      Status: whole ? invocation.status : step.status,
      StatusDetails: whole ? invocation.details : step.details,
      StandardOutputContent: cut(step?.standardOutput ?? '', MAXIMUM_STDOUT),
      StandardOutputUrl: '',
      StandardErrorContent: cut(step?.standardError ?? '', MAXIMUM_STDERR),
      StandardErrorUrl: '',
      CloudWatchOutputConfig: cloudWatchOf(command.settings as CommandSettings),
    }
  },
})

function times(startedAt: number | null, endedAt: number | null) {
  if (startedAt === null || endedAt === null) {
    return { ExecutionStartDateTime: '', ExecutionElapsedTime: '', ExecutionEndDateTime: '' }
  }
  return {
    ExecutionStartDateTime: new Date(startedAt).toISOString(),
    ExecutionElapsedTime: duration(Math.max(0, endedAt - startedAt)),
    ExecutionEndDateTime: new Date(endedAt).toISOString(),
  }
}

/** ISO 8601, such as `PT1M2.5S`. */
export function duration(ms: number): string {
  const hours = Math.floor(ms / 3_600_000)
  const minutes = Math.floor(ms / 60_000) % 60
  const seconds = (ms % 60_000) / 1000
  const parts = [hours > 0 && `${hours}H`, minutes > 0 && `${minutes}M`, seconds > 0 && `${seconds}S`]
  return `PT${parts.filter(part => part !== false).join('') || '0S'}`
}

export function cut(text: string, max: number): string {
  if (text.length <= max) return text
  const kept = text.slice(0, max - CUT_MARK.length)
  // Half of a character outside the basic plane would be no text any more.
  return (/[\ud800-\udbff]$/.test(kept) ? kept.slice(0, -1) : kept) + CUT_MARK
}
