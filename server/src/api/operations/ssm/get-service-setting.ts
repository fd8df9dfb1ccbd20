import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { ServiceSettingOutput } from '@sallyport/protocol/api/ssm-settings'
import { operation } from '../../operation.ts'
import { readSetting, settingCheck } from './service-settings.ts'

export const getServiceSetting = operation({
  input: ssmOperations.GetServiceSetting.input,
  callers: ['person'],
  access: ({ SettingId }, context) => ({ all: [settingCheck(context, SettingId)] }),
  run: async (context, { SettingId }): Promise<ServiceSettingOutput> => ({
    ServiceSetting: await readSetting(context, SettingId),
  }),
})
