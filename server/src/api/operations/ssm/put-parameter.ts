import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { PutParameterInput, PutParameterOutput } from '@sallyport/protocol/api/ssm-parameters'
import { AwsError } from '@sallyport/protocol/aws/error'
import { requestTagConditions } from '@sallyport/server/iam/tag-conditions'
import type { ParameterLimits } from '@sallyport/server/store/parameters'
import type { ParameterRow } from '@sallyport/server/store/schema'
import { type OperationContext, operation } from '../../operation.ts'
import { checkNewName } from './parameter-names.ts'
import { checkPut, nextVersion } from './parameter-version.ts'
import { parameterCheck } from './parameters.ts'
import { DEFAULT_TIER_SETTING, readSetting } from './service-settings.ts'
import { mergeTags } from './tags.ts'

const LIMITS: ParameterLimits = { versions: 100, parameters: { Standard: 10_000, Advanced: 100_000 } }

/** control-plane.md 24 */
export const putParameter = operation({
  input: ssmOperations.PutParameter.input,
  callers: ['person'],
  access: async ({ Name, Overwrite = false, Tags = [] }, context) => {
    const put = await parameterCheck(context, Name.trim(), {
      ...requestTagConditions(Tags),
      'ssm:Overwrite': String(Overwrite),
    })
    // Who makes one with tags needs the permission to tag, too (Service Authorization Reference, PutParameter).
    return { all: Tags.length === 0 ? [put] : [put, { ...put, action: 'ssm:AddTagsToResource' }] }
  },
  run: async (context, input, { arn }): Promise<PutParameterOutput> => {
    // Spaces around a name are removed (API reference).
    const name = input.Name.trim()
    checkNewName(context, name)
    checkPut(context, input)
    const Tier = input.Tier ?? (await defaultTier(context))
    const { version, tier } = await put(context, { ...input, Name: name, Tier }, arn)
    return { Version: version, Tier: tier }
  },
})

/** Undefined for the standard one: a parameter that is advanced already stays so. */
async function defaultTier(context: OperationContext): Promise<PutParameterInput['Tier']> {
  const { SettingValue } = await readSetting(context, DEFAULT_TIER_SETTING)
  return SettingValue === 'Advanced' || SettingValue === 'Intelligent-Tiering' ? SettingValue : undefined
}

async function put(
  context: OperationContext,
  input: PutParameterInput,
  caller: string,
): Promise<ParameterRow> {
  const { store, scope } = context
  const name = input.Name
  const stored = await store.parameters.put(
    scope,
    name,
    former => nextVersion(context, { input, name, former, caller }),
    { tags: mergeTags([], input.Tags ?? []), limits: LIMITS },
  )
  if (typeof stored !== 'string') return stored
  if (stored === 'oldest-has-label') {
    throw new AwsError(
      'ParameterMaxVersionLimitExceeded',
      `${name} has ${LIMITS.versions} versions, and the oldest of them can't be deleted because it has a label. Move the label to a newer version and try again.`,
    )
  }
  // Where there is no more room for standard parameters, an advanced one is what is wanted (API reference).
  if (input.Tier === 'Intelligent-Tiering') return await put(context, { ...input, Tier: 'Advanced' }, caller)
  throw new AwsError(
    'ParameterLimitExceeded',
    `You have exceeded the number of parameters for this account. There can be ${LIMITS.parameters.Standard} standard and ${LIMITS.parameters.Advanced} advanced ones.`,
  )
}
