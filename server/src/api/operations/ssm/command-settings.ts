import type { SendCommandInput } from '@sallyport/protocol/api/ssm-commands'
import { AwsError } from '@sallyport/protocol/aws/error'
import { NODE_SERVICES } from '@sallyport/server/iam/service-trust'
import type { Json } from '@sallyport/server/store/schema'
import type { OperationContext } from '../../operation.ts'
import { namedRole, usableRole } from '../../pass-role.ts'

const ROLE_ARN = /^arn:[^:]+:iam::(\d{12}):role\/([\w+=,.@/-]+)$/
const TOPIC_ARN = /^arn:[^:]+:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}(\.fifo)?$/
// docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
const BUCKET = /^(?!.*\.\.)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const REGION = /^[a-z0-9-]+$/
/** AWS knows it as the name of the service that takes the role on. */
export const COMMAND_SERVICE = NODE_SERVICES['managed-instance']

/** What is kept of a request to be shown with its command: by AWS's names of the members. */
export type CommandSettings = Partial<
  Pick<
    SendCommandInput,
    | 'OutputS3Region'
    | 'OutputS3BucketName'
    | 'OutputS3KeyPrefix'
    | 'NotificationConfig'
    | 'CloudWatchOutputConfig'
  >
> & { ServiceRole?: string | undefined }

/**
 * Throws `InvalidOutputFolder`, `InvalidNotificationConfig` and `InvalidRole` for what could not work, and
 * `ValidationException` for alarms, which nobody here would watch.
 */
export async function readSettings(context: OperationContext, input: SendCommandInput): Promise<Json> {
  const { OutputS3Region, OutputS3BucketName, OutputS3KeyPrefix, CloudWatchOutputConfig } = input
  checkOutput(input)
  checkNotification(input)
  if (input.AlarmConfiguration !== undefined) {
    throw new AwsError(
      'ValidationException',
      'AlarmConfiguration: this server watches no alarms, so the command would not stop for one. Send it without.',
    )
  }
  await checkRole(context, input.ServiceRoleArn)
  const settings: CommandSettings = {
    OutputS3Region,
    OutputS3BucketName,
    OutputS3KeyPrefix,
    CloudWatchOutputConfig,
    NotificationConfig: input.NotificationConfig,
    ServiceRole: input.ServiceRoleArn,
  }
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as Json
}

/** The role of an ARN as PassRole wants it: with its path, without a slash before it. */
export function roleOf({ scope }: OperationContext, arn: string): string | undefined {
  const [, account, role] = ROLE_ARN.exec(arn) ?? []
  return account === scope.accountId ? role : undefined
}

function checkOutput({ OutputS3BucketName, OutputS3KeyPrefix, OutputS3Region }: SendCommandInput): void {
  if (OutputS3BucketName === undefined) {
    if (!OutputS3KeyPrefix) return
    throw new AwsError('InvalidOutputFolder', 'OutputS3KeyPrefix is given, but no OutputS3BucketName.')
  }
  if (!BUCKET.test(OutputS3BucketName)) {
    throw new AwsError('InvalidOutputFolder', `'${OutputS3BucketName}' is not the name of a bucket.`)
  }
  if (OutputS3Region !== undefined && !REGION.test(OutputS3Region)) {
    throw new AwsError('InvalidOutputFolder', `'${OutputS3Region}' is not the name of a region.`)
  }
}

function checkNotification({ NotificationConfig }: SendCommandInput): void {
  const { NotificationArn = '', NotificationEvents = [], NotificationType } = NotificationConfig ?? {}
  // Programs that fill in every member leave them empty.
  if (NotificationArn === '' && NotificationEvents.length === 0 && NotificationType === undefined) return
  if (TOPIC_ARN.test(NotificationArn)) return
  throw new AwsError(
    'InvalidNotificationConfig',
    NotificationArn === ''
      ? 'NotificationConfig has no NotificationArn.'
      : `NotificationArn must be the ARN of a topic, such as arn:aws:sns:us-east-1:123456789012:commands, not '${NotificationArn}'.`,
  )
}

async function checkRole(context: OperationContext, arn: string | undefined): Promise<void> {
  if (arn === undefined) return
  const role = roleOf(context, arn)
  const usable = role && usableRole(context, await namedRole(context, role), COMMAND_SERVICE)
  if (usable) return
  throw new AwsError(
    'InvalidRole',
    `ServiceRoleArn: there is no role ${arn} in this account that ${COMMAND_SERVICE} may take on.`,
  )
}
