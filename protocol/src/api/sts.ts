import { s } from '../aws/shape.ts'

// control-plane.md 28

export const STS_VERSION = '2011-06-15'
export const STS_XMLNS = 'https://sts.amazonaws.com/doc/2011-06-15/'

export const stsOperations = {
  GetCallerIdentity: { input: s.structure({}) },
} as const

export type GetCallerIdentityOutput = {
  readonly Arn: string
  readonly UserId: string
  readonly Account: string
}
