import type { Command } from '../store/commands.ts'
import { toColumn } from '../store/json-column.ts'
import type { CommandRow, InvocationRow, Scope } from '../store/schema.ts'
import { concurrencyLimit, errorLimit } from './limits.ts'
import { type ShownStatus, statusOf } from './status.ts'
import { deliveryDeadline } from './window.ts'

/** A command as the request makes it; the rest of its row is computed. */
export type NewCommand = Pick<
  Command,
  | 'commandId'
  | 'documentName'
  | 'documentVersion'
  | 'documentContent'
  | 'boundParameters'
  | 'parameters'
  | 'instanceIds'
  | 'targets'
  | 'comment'
  | 'ownerArn'
  | 'requestedAt'
  | 'timeoutSeconds'
  | 'executionMs'
  | 'maxConcurrency'
  | 'maxErrors'
  | 'settings'
>
/** `refused` targets are Failed at once and never told anything. */
export type CommandTarget = { nodeId: string; nodeName: string; refused?: 'AccessDenied' | 'InvalidPlatform' }

/**
 * The rows of a new command, the first of its invocations let go already: a command to all of 10,000 nodes is written
 * once. Throws RangeError for limits that are none.
 */
export function rowsOf(
  { accountId, region }: Scope,
  command: NewCommand,
  given: readonly CommandTarget[],
  now: number,
): { command: CommandRow; invocations: InvocationRow[] } {
  const targets = [...new Map(given.map(target => [target.nodeId, target])).values()]
  const able = targets.filter(target => target.refused === undefined)
  // Behind all others, where the window never gets.
  const refused = targets.filter(target => target.refused !== undefined)
  const limits = {
    concurrencyLimit: concurrencyLimit(command.maxConcurrency, targets.length),
    errorLimit: errorLimit(command.maxErrors, targets.length),
  }
  const released = Math.min(able.length, limits.concurrencyLimit)
  const counts = {
    targetCount: targets.length,
    waitingCount: able.length - released,
    activeCount: released,
    completedCount: refused.length,
    successCount: 0,
    errorCount: 0,
    deliveryTimedOutCount: 0,
    cancelledCount: 0,
    cancelRequestedAt: null,
  }
  const shown = refusedAll(targets) ?? statusOf({ ...counts, ...limits }, 'Pending')
  return {
    command: {
      ...command,
      ...counts,
      ...limits,
      ...shown,
      accountId,
      region,
      documentContent: toColumn(command.documentContent),
      boundParameters: toColumn(command.boundParameters),
      parameters: toColumn(command.parameters),
      instanceIds: toColumn(command.instanceIds),
      targets: toColumn(command.targets),
      settings: toColumn(command.settings),
      expiresAt: deliveryDeadline(command) + command.executionMs,
      endedAt: able.length === 0 ? now : null,
      revision: targets.length + 1,
    },
    invocations: [...able, ...refused].map((target, position) => ({
      accountId,
      region,
      commandId: command.commandId,
      position,
      ...invocationOf(target, position < released, { now, deadline: deliveryDeadline(command) }),
      revision: position + 1,
    })),
  }
}

function invocationOf(
  { nodeId, nodeName, refused }: CommandTarget,
  released: boolean,
  { now, deadline }: { now: number; deadline: number },
) {
  return {
    nodeId,
    nodeName,
    status: refused === undefined ? ('Pending' as const) : ('Failed' as const),
    details: refused ?? 'Pending',
    owed: released ? ('command' as const) : null,
    notBefore: null,
    refusals: 0,
    releasedAt: released ? now : null,
    sentAt: null,
    acceptedAt: null,
    endedAt: refused === undefined ? null : now,
    deadline: refused === undefined ? deadline : null,
    traceOutput: '',
  }
}

function refusedAll(targets: readonly CommandTarget[]): ShownStatus | undefined {
  const [first] = targets
  if (first?.refused === undefined) return undefined
  const same = targets.every(target => target.refused === first.refused)
  return same ? { status: 'Failed', details: first.refused } : undefined
}
