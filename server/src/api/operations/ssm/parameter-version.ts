import type { ParameterTier, PutParameterInput } from '@sallyport/protocol/api/ssm-parameters'
import { AwsError } from '@sallyport/protocol/aws/error'
import { matchesPattern } from '@sallyport/server/documents/allowed-pattern'
import type { NewParameterVersion } from '@sallyport/server/store/parameters'
import type { ParameterRow } from '@sallyport/server/store/schema'
import type { OperationContext } from '../../operation.ts'
import { PARAMETER_KEY, sealingPlace } from './parameters.ts'

/** Bytes of a value (control-plane.md 24). */
const MAXIMUM_SIZE: Readonly<Record<ParameterRow['tier'], number>> = { Standard: 4096, Advanced: 8192 }
const IMAGE = /^ami-([0-9a-f]{8}|[0-9a-f]{17})$/

type VersionRequest = {
  input: PutParameterInput
  name: string
  former: ParameterRow | undefined
  /** ARN of the caller. */
  caller: string
}

/** What the request makes of the latest version; what it does not say stays. Throws AWS's errors. */
export function nextVersion(context: OperationContext, request: VersionRequest): NewParameterVersion {
  const { input, name, former, caller } = request
  if (former !== undefined && !input.Overwrite) {
    throw new AwsError(
      'ParameterAlreadyExists',
      'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.',
    )
  }
  const type = input.Type ?? former?.type
  if (type === undefined) throw invalid('A parameter type is required when you create a parameter.')
  const secret = type === 'SecureString'
  if (input.KeyId !== undefined && !secret) {
    throw invalid('KeyId is required for SecureString type parameter only.')
  }
  const version = (former?.version ?? 0) + 1
  const allowedPattern = input.AllowedPattern ?? former?.allowedPattern ?? null
  checkPattern(allowedPattern, input.Value)
  const dataType = input.DataType ?? former?.dataType ?? 'text'
  checkDataType(dataType, type, input.Value)
  return {
    type,
    value: secret
      ? context.sealing.seal(input.Value, sealingPlace(context.scope, name, version))
      : input.Value,
    tier: tierFor(input.Tier, former?.tier, Buffer.byteLength(input.Value)),
    dataType,
    description: input.Description ?? former?.description ?? null,
    allowedPattern,
    keyId: secret ? PARAMETER_KEY : null,
    modifiedAt: context.now,
    modifiedBy: caller,
  }
}

/** What can be said of a request before the parameter is looked at. */
export function checkPut({ partition, scope }: OperationContext, input: PutParameterInput): void {
  const { KeyId, Overwrite, Tags = [], Policies, Value } = input
  if (Overwrite && Tags.length > 0) {
    throw invalid(
      "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
    )
  }
  const ours = [PARAMETER_KEY, `arn:${partition}:kms:${scope.region}:${scope.accountId}:${PARAMETER_KEY}`]
  if (KeyId !== undefined && !ours.includes(KeyId)) {
    throw new AwsError(
      'InvalidKeyId',
      `There is no key ${KeyId}: parameters are encrypted with the server's own. Leave KeyId out, or give ${PARAMETER_KEY}.`,
    )
  }
  if (Policies !== undefined && !/^\s*\[\s*(\{\s*\})?\s*\]\s*$/.test(Policies)) {
    throw new AwsError(
      'InvalidPolicyTypeException',
      'Parameter policies (Expiration, ExpirationNotification, NoChangeNotification) are not supported by this version: nothing would act on them.',
    )
  }
  // The database takes it for the end of the text: what was checked would be more than what is kept.
  if ([Value, input.Description, input.AllowedPattern].some(text => text?.includes('\0'))) {
    throw invalid("Parameter value, description and allowed pattern can't contain a zero byte.")
  }
  // An agent that fills in one reference would find another one in its place.
  const open = Value.indexOf('{{')
  if (open !== -1 && Value.includes('}}', open)) {
    throw invalid('Parameter value can\'t nest another parameter. Do not use "{{}}" in the value.')
  }
}

/** The value is never in a message: it may be a secret. */
function checkPattern(pattern: string | null, value: string): void {
  if (pattern === null || pattern === '') return
  let matches: ReturnType<typeof matchesPattern>
  try {
    matches = matchesPattern(pattern, value)
  } catch (cause) {
    throw new AwsError(
      'InvalidAllowedPatternException',
      `The allowed pattern is not a regular expression: ${pattern}`,
      { cause },
    )
  }
  if (matches === true) return
  if (matches === 'too-slow') {
    throw new AwsError(
      'InvalidAllowedPatternException',
      `The allowed pattern takes too long to compare with this value, and needs to be simpler: ${pattern}`,
    )
  }
  throw new AwsError(
    'ParameterPatternMismatchException',
    `Parameter value, cannot be validated against allowedPattern: ${pattern}`,
  )
}

function checkDataType(dataType: string, type: ParameterRow['type'], value: string): void {
  switch (dataType) {
    case 'text':
      return
    case 'aws:ec2:image':
      if (type === 'String' && IMAGE.test(value)) return
      throw invalid(
        'A parameter of the data type aws:ec2:image is a String with the id of an image, such as ami-0123456789abcdef0.',
      )
    case 'aws:ssm:integration':
      if (type === 'SecureString') return
      throw invalid('A parameter of the data type aws:ssm:integration is a SecureString.')
    default:
      throw invalid(
        `The following data type is not supported: ${dataType} (Data type names are all lowercase.)`,
      )
  }
}

function tierFor(
  wanted: ParameterTier | undefined,
  former: ParameterRow['tier'] | undefined,
  size: number,
): ParameterRow['tier'] {
  if (wanted === 'Standard' && former === 'Advanced') {
    throw invalid(
      "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.",
    )
  }
  const grows = wanted === 'Intelligent-Tiering' && size > MAXIMUM_SIZE.Standard
  const tier = wanted === 'Advanced' || former === 'Advanced' || grows ? 'Advanced' : 'Standard'
  if (size <= MAXIMUM_SIZE[tier]) return tier
  throw invalid(
    tier === 'Standard'
      ? `Standard tier parameters support a maximum parameter value of ${MAXIMUM_SIZE.Standard} characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier.`
      : `Advanced tier parameters support a maximum parameter value of ${MAXIMUM_SIZE.Advanced} characters.`,
  )
}

function invalid(message: string): AwsError {
  return new AwsError('ValidationException', message)
}
