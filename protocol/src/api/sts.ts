import { type Infer, s } from '../aws/shape.ts'
import { arn, tagList } from './iam-types.ts'
import { tagKey } from './tags.ts'

// control-plane.md 28

export const STS_VERSION = '2011-06-15'
export const STS_XMLNS = 'https://sts.amazonaws.com/doc/2011-06-15/'

/** Seconds. */
export const DEFAULT_ROLE_SESSION = 3_600
export const DEFAULT_SESSION_TOKEN = 43_200
const LEAST_DURATION = 900

const NAME = '[\\w+=,.@-]*'

const mfaMembers = {
  SerialNumber: s.string({ min: 9, max: 256, pattern: '[\\w+=/:,.@-]*' }),
  TokenCode: s.string({ min: 6, max: 6, pattern: '\\d*', sensitive: true }),
}

const assumeRole = s.structure(
  {
    RoleArn: arn,
    RoleSessionName: s.string({ min: 2, max: 64, pattern: NAME }),
    PolicyArns: s.list(s.structure({ arn }, { required: ['arn'] }), { max: 10 }),
    Policy: s.string({ min: 1, max: 2048, pattern: '[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+' }),
    DurationSeconds: s.integer({ min: LEAST_DURATION, max: 43_200 }),
    Tags: tagList,
    TransitiveTagKeys: s.list(tagKey, { max: 50 }),
    ExternalId: s.string({ min: 2, max: 1224, pattern: '[\\w+=,.@:/\\-]*' }),
    ...mfaMembers,
    SourceIdentity: s.string({ min: 2, max: 64, pattern: NAME }),
    ProvidedContexts: s.list(s.structure({}), { max: 5 }),
  },
  { required: ['RoleArn', 'RoleSessionName'] },
)

const getSessionToken = s.structure({
  DurationSeconds: s.integer({ min: LEAST_DURATION, max: 129_600 }),
  ...mfaMembers,
})

const getAccessKeyInfo = s.structure(
  { AccessKeyId: s.string({ min: 16, max: 128, pattern: '[\\w]*' }) },
  { required: ['AccessKeyId'] },
)

export const stsOperations = {
  AssumeRole: { input: assumeRole },
  GetAccessKeyInfo: { input: getAccessKeyInfo },
  GetCallerIdentity: { input: s.structure({}) },
  GetSessionToken: { input: getSessionToken },
} as const

export type AssumeRoleInput = Infer<typeof assumeRole>
export type GetSessionTokenInput = Infer<typeof getSessionToken>

export type StsCredentials = {
  readonly AccessKeyId: string
  readonly SecretAccessKey: string
  readonly SessionToken: string
  /** In whole seconds. */
  readonly Expiration: Date
}

export type AssumeRoleOutput = {
  readonly Credentials: StsCredentials
  readonly AssumedRoleUser: { readonly AssumedRoleId: string; readonly Arn: string }
  /** Percent. Only when policies or tags were given. */
  readonly PackedPolicySize?: number | undefined
  readonly SourceIdentity?: string | undefined
}

export type GetSessionTokenOutput = { readonly Credentials: StsCredentials }

export type GetAccessKeyInfoOutput = { readonly Account: string }

export type GetCallerIdentityOutput = {
  readonly Arn: string
  readonly UserId: string
  readonly Account: string
}
