import { type Infer, s } from '../aws/shape.ts'
import { maxResults, nextToken, nodeId, type Timestamp } from './ssm-types.ts'

// control-plane.md 21. The last three operations are ours: AWS has no way to follow a command, and cuts its output.

/** The most nodes that a request may name one by one. */
const MAXIMUM_IDS = 50
/** Of one answer of GetCommandOutput. */
export const MAXIMUM_OUTPUT_READ = 1_048_576
/** Of one PutCommandOutput: 512 KiB, in base64. */
export const MAXIMUM_OUTPUT_PIECE = 512 * 1024
/** How long WatchCommand and GetCommandOutput may wait (seconds). */
export const MAXIMUM_WATCH = 20

const commandId = s.string({ min: 36, max: 36 })
const nodeIds = s.list(nodeId, { max: MAXIMUM_IDS })
const pluginName = s.string({ min: 4, max: 1024 })
// Steps of a document may be named with fewer than four characters (control-plane.md 12.1).
const stepName = s.string({ min: 1, max: 128 })

const targets = s.list(
  s.structure({
    Key: s.string({
      min: 1,
      max: 163,
      pattern: '^[\\p{L}\\p{Z}\\p{N}_.:/=\\-@]*$|resource-groups:ResourceTypeFilters|resource-groups:Name',
    }),
    Values: s.list(s.string(), { max: MAXIMUM_IDS }),
  }),
  { max: 5 },
)

export const notificationEvents = ['All', 'InProgress', 'Success', 'TimedOut', 'Cancelled', 'Failed'] as const

const notificationConfig = s.structure({
  NotificationArn: s.string(),
  NotificationEvents: s.list(s.string({ enum: notificationEvents })),
  NotificationType: s.string({ enum: ['Command', 'Invocation'] }),
})

const cloudWatchOutputConfig = s.structure({
  CloudWatchLogGroupName: s.string({ min: 1, max: 512, pattern: '[\\.\\-_/#A-Za-z0-9]+' }),
  CloudWatchOutputEnabled: s.boolean(),
})

const alarmConfiguration = s.structure(
  {
    IgnorePollAlarmFailure: s.boolean(),
    Alarms: s.list(s.structure({ Name: s.string({ min: 1, max: 255 }) }, { required: ['Name'] }), {
      min: 1,
      max: 1,
    }),
  },
  { required: ['Alarms'] },
)

const sendCommand = s.structure(
  {
    InstanceIds: nodeIds,
    Targets: targets,
    DocumentName: s.string({ pattern: '^[a-zA-Z0-9_\\-.:/]{3,128}$' }),
    DocumentVersion: s.string({ pattern: '([$]LATEST|[$]DEFAULT|^[1-9][0-9]*$)' }),
    DocumentHash: s.string({ max: 256 }),
    DocumentHashType: s.string({ enum: ['Sha256', 'Sha1'] }),
    TimeoutSeconds: s.integer({ min: 30, max: 2_592_000 }),
    Comment: s.string({ max: 100 }),
    Parameters: s.map(s.string(), s.list(s.string())),
    OutputS3Region: s.string({ min: 3, max: 20 }),
    OutputS3BucketName: s.string({ min: 3, max: 63 }),
    OutputS3KeyPrefix: s.string({ max: 500 }),
    MaxConcurrency: s.string({ min: 1, max: 7, pattern: '^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$' }),
    MaxErrors: s.string({ min: 1, max: 7, pattern: '^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$' }),
    ServiceRoleArn: s.string(),
    NotificationConfig: notificationConfig,
    CloudWatchOutputConfig: cloudWatchOutputConfig,
    AlarmConfiguration: alarmConfiguration,
  },
  { required: ['DocumentName'] },
)

export const commandFilterKeys = [
  'InvokedAfter',
  'InvokedBefore',
  'Status',
  'ExecutionStage',
  'DocumentName',
] as const

const listMembers = {
  CommandId: commandId,
  InstanceId: nodeId,
  MaxResults: maxResults,
  NextToken: nextToken,
  Filters: s.list(
    s.structure(
      { key: s.string({ enum: commandFilterKeys }), value: s.string({ min: 1, max: 128 }) },
      { required: ['key', 'value'] },
    ),
    { min: 1, max: 5 },
  ),
}

const listCommands = s.structure(listMembers)

const listCommandInvocations = s.structure({ ...listMembers, Details: s.boolean() })

const getCommandInvocation = s.structure(
  { CommandId: commandId, InstanceId: nodeId, PluginName: pluginName },
  { required: ['CommandId', 'InstanceId'] },
)

const cancelCommand = s.structure({ CommandId: commandId, InstanceIds: nodeIds }, { required: ['CommandId'] })

const waitSeconds = s.integer({ min: 0, max: MAXIMUM_WATCH })
const stream = s.string({ enum: ['stdout', 'stderr'] })
const offset = s.integer({ min: 0 })

const watchCommand = s.structure(
  {
    CommandId: commandId,
    /** Of an earlier answer; 0 unless said. */
    AfterRevision: s.integer({ min: 0 }),
    WaitSeconds: waitSeconds,
    MaxResults: s.integer({ min: 1, max: 1000 }),
  },
  { required: ['CommandId'] },
)

const getCommandOutput = s.structure(
  {
    CommandId: commandId,
    InstanceId: nodeId,
    PluginName: stepName,
    Stream: stream,
    Offset: offset,
    MaxBytes: s.integer({ min: 1, max: MAXIMUM_OUTPUT_READ }),
    WaitSeconds: waitSeconds,
  },
  { required: ['CommandId', 'InstanceId'] },
)

const putCommandOutput = s.structure(
  {
    CommandId: commandId,
    InstanceId: nodeId,
    PluginName: stepName,
    Stream: stream,
    Offset: offset,
    Content: s.string({ max: Math.ceil(MAXIMUM_OUTPUT_PIECE / 3) * 4 }),
  },
  { required: ['CommandId', 'InstanceId', 'PluginName', 'Stream', 'Offset', 'Content'] },
)

export const commandOperations = {
  SendCommand: { input: sendCommand },
  ListCommands: { input: listCommands },
  ListCommandInvocations: { input: listCommandInvocations },
  GetCommandInvocation: { input: getCommandInvocation },
  CancelCommand: { input: cancelCommand },
  WatchCommand: { input: watchCommand },
  GetCommandOutput: { input: getCommandOutput },
  PutCommandOutput: { input: putCommandOutput },
} as const

export type SendCommandInput = Infer<typeof sendCommand>
export type ListCommandsInput = Infer<typeof listCommands>
export type ListCommandInvocationsInput = Infer<typeof listCommandInvocations>
export type GetCommandInvocationInput = Infer<typeof getCommandInvocation>
export type CancelCommandInput = Infer<typeof cancelCommand>
export type WatchCommandInput = Infer<typeof watchCommand>
export type GetCommandOutputInput = Infer<typeof getCommandOutput>
export type PutCommandOutputInput = Infer<typeof putCommandOutput>

export type CommandTargetInput = NonNullable<SendCommandInput['Targets']>[number]
export type NotificationConfig = NonNullable<SendCommandInput['NotificationConfig']>
type CloudWatchOutputConfig = NonNullable<SendCommandInput['CloudWatchOutputConfig']>
type AlarmConfiguration = NonNullable<SendCommandInput['AlarmConfiguration']>

export type CommandStatus =
  | 'Pending'
  | 'InProgress'
  | 'Success'
  | 'Cancelled'
  | 'Failed'
  | 'TimedOut'
  | 'Cancelling'

export type InvocationStatus = CommandStatus | 'Delayed'

export type Command = {
  readonly CommandId: string
  readonly DocumentName: string
  readonly DocumentVersion: string
  readonly Comment: string
  readonly ExpiresAfter: Timestamp
  readonly Parameters: Readonly<Record<string, readonly string[]>>
  readonly InstanceIds: readonly string[]
  readonly Targets: readonly CommandTargetInput[]
  readonly RequestedDateTime: Timestamp
  readonly Status: CommandStatus
  readonly StatusDetails: string
  readonly OutputS3Region?: string | undefined
  readonly OutputS3BucketName: string
  readonly OutputS3KeyPrefix: string
  readonly MaxConcurrency: string
  readonly MaxErrors: string
  readonly TargetCount: number
  readonly CompletedCount: number
  readonly ErrorCount: number
  readonly DeliveryTimedOutCount: number
  readonly ServiceRole: string
  readonly NotificationConfig: NotificationConfig
  readonly CloudWatchOutputConfig: CloudWatchOutputConfig
  readonly TimeoutSeconds: number
  readonly AlarmConfiguration?: AlarmConfiguration | undefined
}

export type CommandPlugin = {
  readonly Name: string
  readonly Status: Exclude<CommandStatus, 'Cancelling'>
  readonly StatusDetails: string
  readonly ResponseCode: number
  readonly ResponseStartDateTime?: Timestamp | undefined
  readonly ResponseFinishDateTime?: Timestamp | undefined
  readonly Output: string
  readonly StandardOutputUrl: string
  readonly StandardErrorUrl: string
  readonly OutputS3Region?: string | undefined
  readonly OutputS3BucketName: string
  readonly OutputS3KeyPrefix: string
}

export type CommandInvocation = {
  readonly CommandId: string
  readonly InstanceId: string
  readonly InstanceName: string
  readonly Comment: string
  readonly DocumentName: string
  readonly DocumentVersion: string
  readonly RequestedDateTime: Timestamp
  readonly Status: InvocationStatus
  readonly StatusDetails: string
  readonly TraceOutput?: string | undefined
  readonly StandardOutputUrl: string
  readonly StandardErrorUrl: string
  /** Empty without `Details`. */
  readonly CommandPlugins: readonly CommandPlugin[]
  readonly ServiceRole: string
  readonly NotificationConfig: NotificationConfig
  readonly CloudWatchOutputConfig: CloudWatchOutputConfig
}

export type SendCommandOutput = { readonly Command: Command }

export type ListCommandsOutput = {
  readonly Commands: readonly Command[]
  readonly NextToken?: string | undefined
}

export type ListCommandInvocationsOutput = {
  readonly CommandInvocations: readonly CommandInvocation[]
  readonly NextToken?: string | undefined
}

/** The three times are text, and empty while there is none. */
export type GetCommandInvocationOutput = {
  readonly CommandId: string
  readonly InstanceId: string
  readonly Comment: string
  readonly DocumentName: string
  readonly DocumentVersion: string
  readonly PluginName: string
  /** -1 while it runs. */
  readonly ResponseCode: number
  readonly ExecutionStartDateTime: string
  /** Such as `PT1.234S`. */
  readonly ExecutionElapsedTime: string
  readonly ExecutionEndDateTime: string
  readonly Status: InvocationStatus
  readonly StatusDetails: string
  readonly StandardOutputContent: string
  readonly StandardOutputUrl: string
  readonly StandardErrorContent: string
  readonly StandardErrorUrl: string
  readonly CloudWatchOutputConfig: CloudWatchOutputConfig
}

/** An invocation as WatchCommand tells of it. */
export type WatchedInvocation = {
  readonly InstanceId: string
  readonly InstanceName: string
  readonly Status: InvocationStatus
  readonly StatusDetails: string
  /** -1 while it runs. */
  readonly ResponseCode: number
  readonly Revision: number
}

export type WatchCommandOutput = {
  readonly Command: Command
  readonly Counts: readonly {
    readonly Status: InvocationStatus
    readonly StatusDetails: string
    readonly Count: number
  }[]
  /** Those that changed after `AfterRevision`, in the order of their revisions. */
  readonly Invocations: readonly WatchedInvocation[]
  /** What the next `AfterRevision` is. */
  readonly Revision: number
  /** There are more to tell of at once. */
  readonly More: boolean
}

export type GetCommandOutputOutput = {
  /** Base64. */
  readonly Content: string
  readonly NextOffset: number
  /** Nothing comes after `Content`. */
  readonly Ended: boolean
  readonly Status: InvocationStatus
}

export type PutCommandOutputOutput = {
  readonly NextOffset: number
  /** No more of this stream is taken. */
  readonly Full: boolean
}
