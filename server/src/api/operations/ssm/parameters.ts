import type { Parameter, ParameterHistory, ParameterMetadata } from '@sallyport/protocol/api/ssm-parameters'
import { toTimestamp } from '@sallyport/protocol/api/ssm-types'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { AccessCheck, ConditionValues } from '@sallyport/server/iam/access-plan'
import { parameterArn } from '@sallyport/server/iam/arns'
import { resourceTagConditions } from '@sallyport/server/iam/tag-conditions'
import { PARAMETER_TAGS } from '@sallyport/server/store/parameter-filters'
import type { ParameterRow } from '@sallyport/server/store/schema'
import type { OperationContext } from '../../operation.ts'
import { type ParameterReference, readReference } from './parameter-names.ts'

/** AWS's own key: the only one, since there is no KMS yet. */
export const PARAMETER_KEY = 'alias/aws/ssm'

/**
 * What policies must allow for work on a parameter of that name. Its tags are read afresh: they come and go with
 * parameters, for which nobody's access has to be decided again.
 */
export async function parameterCheck(
  context: OperationContext,
  name: string,
  conditions: ConditionValues = {},
): Promise<AccessCheck> {
  const tags = await context.store.tags.list(context.scope, PARAMETER_TAGS, name)
  return {
    resource: parameterArn(context, name),
    conditions: { ...resourceTagConditions(tags), ...conditions },
  }
}

/** The same for reading what a request names, with or without a selector. */
export async function referenceCheck(context: OperationContext, given: string): Promise<AccessCheck> {
  const reference = await readReference(context, given)
  return reference === undefined ? { resource: given } : await parameterCheck(context, reference.name)
}

/** All that finding one takes. */
export type ParameterSources = Pick<OperationContext, 'store' | 'scope'>
export type FoundParameter = { row: ParameterRow; suffix: string }

/** Throws `ParameterNotFound`, or `ParameterVersionNotFound` if it has not the version or label asked for. */
export async function findParameter(context: OperationContext, given: string): Promise<FoundParameter> {
  const reference = await readReference(context, given)
  if (reference === undefined) throw parameterNotFound(given)
  const found = await selectParameter(context, reference)
  if (found !== undefined) return found
  const { name, selector } = reference
  const exists = selector !== undefined && (await context.store.parameters.get(context.scope, name))
  if (!exists) throw parameterNotFound(name)
  throw versionNotFound(name, selector)
}

export async function selectParameter(
  { store, scope }: ParameterSources,
  { name, selector, suffix }: ParameterReference,
): Promise<FoundParameter | undefined> {
  const row = await store.parameters.get(scope, name, selector)
  return row && { row, suffix }
}

export function parameterNotFound(name: string): AwsError {
  return new AwsError('ParameterNotFound', `Parameter ${name} not found.`)
}

export function versionNotFound(name: string, version: number | string): AwsError {
  return new AwsError(
    'ParameterVersionNotFound',
    `Systems Manager could not find version ${version} of ${name}. Verify the version and try again.`,
  )
}

/** Binds a sealed value to its place, so that nobody who can write to the store can put another one there. */
export function sealingPlace(
  { accountId, region }: OperationContext['scope'],
  name: string,
  version: number,
) {
  return `parameter ${accountId} ${region} ${name}:${version}`
}

/** The value as it was put; of a SecureString that is not to be decrypted, an opaque text in base64. */
function shownValue({ sealing }: OperationContext, row: ParameterRow, decrypt: boolean | undefined): string {
  if (row.type !== 'SecureString') return row.value
  return decrypt
    ? sealing.open(row.value, sealingPlace(row, row.name, row.version))
    : Buffer.from(row.value).toString('base64')
}

export function toParameter(
  context: OperationContext,
  { row, suffix }: FoundParameter,
  decrypt: boolean | undefined,
): Parameter {
  return {
    Name: row.name,
    Type: row.type,
    Value: shownValue(context, row, decrypt),
    Version: row.version,
    Selector: suffix === '' ? undefined : suffix,
    LastModifiedDate: toTimestamp(row.modifiedAt),
    ARN: parameterArn(context, row.name),
    DataType: row.dataType,
  }
}

export function toMetadata(context: OperationContext, row: ParameterRow): ParameterMetadata {
  return { ...describe(row), ARN: parameterArn(context, row.name) }
}

export function toHistory(
  context: OperationContext,
  row: ParameterRow,
  labels: readonly string[],
  decrypt: boolean | undefined,
): ParameterHistory {
  return { ...describe(row), Value: shownValue(context, row, decrypt), Labels: labels }
}

function describe(row: ParameterRow): Omit<ParameterMetadata, 'ARN'> {
  return {
    Name: row.name,
    Type: row.type,
    KeyId: row.keyId ?? undefined,
    LastModifiedDate: toTimestamp(row.modifiedAt),
    LastModifiedUser: row.modifiedBy,
    Description: row.description ?? undefined,
    AllowedPattern: row.allowedPattern ?? undefined,
    Version: row.version,
    Tier: row.tier,
    Policies: [],
    DataType: row.dataType,
  }
}
