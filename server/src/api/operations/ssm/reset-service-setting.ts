import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { ServiceSettingOutput } from '@sallyport/protocol/api/ssm-settings'
import { operation } from '../../operation.ts'
import { findSetting, readSetting, settingCheck } from './service-settings.ts'

/** Back to the default. */
export const resetServiceSetting = operation({
  input: ssmOperations.ResetServiceSetting.input,
  callers: ['person'],
  access: ({ SettingId }, context) => ({ all: [settingCheck(context, SettingId)] }),
  run: async (context, { SettingId }): Promise<ServiceSettingOutput> => {
    await context.store.serviceSettings.reset(context.scope, findSetting(context, SettingId).id)
    return { ServiceSetting: await readSetting(context, SettingId) }
  },
})
