import type { ServiceSetting } from '@sallyport/protocol/api/ssm-settings'
import { toTimestamp } from '@sallyport/protocol/api/ssm-types'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { AccessCheck } from '@sallyport/server/iam/access-plan'
import { serviceSettingArn } from '@sallyport/server/iam/arns'
import type { OperationContext } from '../../operation.ts'

export const DEFAULT_TIER_SETTING = '/ssm/parameter-store/default-parameter-tier'

/** Values that a setting can have, the default first. Of those with one value nothing here could act on another. */
type Known = readonly [string, ...string[]]

/** control-plane.md 25 */
const SETTINGS: Readonly<Record<string, Known>> = {
  [DEFAULT_TIER_SETTING]: ['Standard', 'Advanced', 'Intelligent-Tiering'],
  // There is no limit to lift, and sessions take no tier.
  '/ssm/parameter-store/high-throughput-enabled': ['false', 'true'],
  '/ssm/managed-instance/activation-tier': ['standard', 'advanced'],
  '/ssm/managed-instance/default-ec2-instance-management-role': ['$None'],
  '/ssm/documents/console/public-sharing-permission': ['Disable'],
}

/** Settings of the service have been there since before anybody changed one. */
const NEVER = 0

/** An id may be given as an ARN. One that is of another account or region stays what it is, and names nothing. */
function settingIdOf(context: OperationContext, given: string): string {
  const prefix = serviceSettingArn(context, '')
  return given.startsWith(prefix) ? `/${given.slice(prefix.length)}` : given
}

export function settingCheck(context: OperationContext, given: string): AccessCheck {
  const id = settingIdOf(context, given)
  return { resource: id.startsWith('arn:') ? id : serviceSettingArn(context, id) }
}

/** Throws `ServiceSettingNotFound`. */
export function findSetting(context: OperationContext, given: string): { id: string; values: Known } {
  const id = settingIdOf(context, given)
  const values = Object.hasOwn(SETTINGS, id) ? SETTINGS[id] : undefined
  if (values !== undefined) return { id, values }
  throw new AwsError(
    'ServiceSettingNotFound',
    `There is no setting ${given}. There are: ${Object.keys(SETTINGS).join(', ')}.`,
  )
}

export async function readSetting(context: OperationContext, given: string): Promise<ServiceSetting> {
  const { id, values } = findSetting(context, given)
  const row = await context.store.serviceSettings.get(context.scope, id)
  return {
    SettingId: id,
    SettingValue: row?.value ?? values[0],
    LastModifiedDate: toTimestamp(row?.modifiedAt ?? NEVER),
    LastModifiedUser: row?.modifiedBy ?? 'System',
    ARN: serviceSettingArn(context, id),
    Status: row === undefined ? 'Default' : 'Customized',
  }
}
