import { s } from '../aws/shape.ts'
import type { Timestamp } from './ssm-types.ts'

// control-plane.md 25

const settingId = s.string({ min: 1, max: 1000 })

const setting = s.structure({ SettingId: settingId }, { required: ['SettingId'] })

const updateServiceSetting = s.structure(
  { SettingId: settingId, SettingValue: s.string({ min: 1, max: 4096 }) },
  { required: ['SettingId', 'SettingValue'] },
)

export const settingOperations = {
  GetServiceSetting: { input: setting },
  UpdateServiceSetting: { input: updateServiceSetting },
  ResetServiceSetting: { input: setting },
} as const

export type ServiceSetting = {
  readonly SettingId: string
  readonly SettingValue: string
  readonly LastModifiedDate: Timestamp
  /** ARN of a principal, or `System`. */
  readonly LastModifiedUser: string
  readonly ARN: string
  readonly Status: 'Default' | 'Customized'
}

/** Of GetServiceSetting and ResetServiceSetting. */
export type ServiceSettingOutput = { readonly ServiceSetting: ServiceSetting }
