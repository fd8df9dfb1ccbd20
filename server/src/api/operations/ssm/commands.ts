import type { Command, CommandInvocation, CommandPlugin } from '@sallyport/protocol/api/ssm-commands'
import { toTimestamp } from '@sallyport/protocol/api/ssm-types'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { CommandSummary } from '@sallyport/server/store/commands'
import type { Invocation } from '@sallyport/server/store/invocations'
import type { CommandSettings } from './command-settings.ts'
import type { StepView } from './command-steps.ts'

/** What commands and their invocations look like to those who ask (control-plane.md 21.2). */
export function describeCommand(command: CommandSummary): Command {
  const settings = command.settings as CommandSettings
  return {
    CommandId: command.commandId,
    DocumentName: command.documentName,
    DocumentVersion: command.documentVersion,
    Comment: command.comment,
    ExpiresAfter: toTimestamp(command.expiresAt),
    Parameters: command.parameters as Command['Parameters'],
    InstanceIds: command.instanceIds,
    Targets: command.targets as unknown as Command['Targets'],
    RequestedDateTime: toTimestamp(command.requestedAt),
    Status: command.status,
    StatusDetails: command.details,
    ...outputOf(settings),
    MaxConcurrency: command.maxConcurrency,
    MaxErrors: command.maxErrors,
    TargetCount: command.targetCount,
    CompletedCount: command.completedCount,
    ErrorCount: command.errorCount,
    DeliveryTimedOutCount: command.deliveryTimedOutCount,
    ...configOf(settings),
    TimeoutSeconds: command.timeoutSeconds,
  }
}

export function describeInvocation(invocation: Invocation, steps: readonly StepView[]): CommandInvocation {
  const settings = invocation.settings as CommandSettings
  return {
    CommandId: invocation.commandId,
    InstanceId: invocation.nodeId,
    InstanceName: invocation.nodeName,
    Comment: invocation.comment,
    DocumentName: invocation.documentName,
    DocumentVersion: invocation.documentVersion,
    RequestedDateTime: toTimestamp(invocation.requestedAt),
    Status: invocation.status,
    StatusDetails: invocation.details,
    TraceOutput: invocation.traceOutput === '' ? undefined : invocation.traceOutput,
    StandardOutputUrl: '',
    StandardErrorUrl: '',
    CommandPlugins: steps.map(step => describeStep(step, settings)),
    ...configOf(settings),
  }
}

function describeStep(step: StepView, settings: CommandSettings): CommandPlugin {
  const time = (ms: number | null) => (ms === null ? undefined : toTimestamp(ms))
  return {
    Name: step.name,
    Status: step.status,
    StatusDetails: step.details,
    ResponseCode: step.code,
    ResponseStartDateTime: time(step.startedAt),
    ResponseFinishDateTime: time(step.endedAt),
    Output: step.output,
    StandardOutputUrl: '',
    StandardErrorUrl: '',
    ...outputOf(settings),
  }
}

function outputOf({ OutputS3Region, OutputS3BucketName = '', OutputS3KeyPrefix = '' }: CommandSettings) {
  return { OutputS3Region, OutputS3BucketName, OutputS3KeyPrefix }
}

/** AWS shows each of them with nothing in it where nothing was said. */
function configOf(settings: CommandSettings) {
  const { ServiceRole = '', NotificationConfig } = settings
  return {
    ServiceRole,
    NotificationConfig: NotificationConfig ?? {
      NotificationArn: '',
      NotificationEvents: [],
    },
    CloudWatchOutputConfig: cloudWatchOf(settings),
  }
}

export function cloudWatchOf({ CloudWatchOutputConfig }: CommandSettings) {
  return CloudWatchOutputConfig ?? { CloudWatchLogGroupName: '', CloudWatchOutputEnabled: false }
}

const COMMAND_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** A command id as it is stored. Throws `InvalidCommandId` for what is none. */
export function readCommandId(given: string): string {
  const id = given.toLowerCase()
  if (COMMAND_ID.test(id)) return id
  throw new AwsError('InvalidCommandId', `'${given}' is no id of a command; SendCommand answers with one.`)
}

export function noCommand(commandId: string): AwsError {
  return new AwsError('InvalidCommandId', `There is no command ${commandId}.`)
}

export function noInvocation(commandId: string, nodeId: string): AwsError {
  return new AwsError(
    'InvocationDoesNotExist',
    `There is no command ${commandId} that was sent to ${nodeId}.`,
  )
}
