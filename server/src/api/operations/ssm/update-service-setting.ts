import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { operation } from '../../operation.ts'
import { findSetting, settingCheck } from './service-settings.ts'

export const updateServiceSetting = operation({
  input: ssmOperations.UpdateServiceSetting.input,
  callers: ['person'],
  access: ({ SettingId }, context) => ({ all: [settingCheck(context, SettingId)] }),
  run: async (context, { SettingId, SettingValue }, { arn }) => {
    const { id, values } = findSetting(context, SettingId)
    if (!values.includes(SettingValue)) {
      throw new AwsError(
        'ValidationException',
        `${SettingValue} is not a value of ${id} here. Values are: ${values.join(', ')}.`,
      )
    }
    const setting = { settingId: id, value: SettingValue, modifiedAt: context.now, modifiedBy: arn }
    await context.store.serviceSettings.put(context.scope, setting)
    return {}
  },
})
