import { type Infer, s } from '../aws/shape.ts'
import { maxResults, nextToken, type Timestamp } from './ssm-types.ts'
import { tags } from './tags.ts'

// control-plane.md 24 and 25. What a name may look like is no pattern of AWS's model: the rules have errors of their own.

const name = s.string({ min: 1, max: 2048 })
const names = s.list(name, { min: 1, max: 10 })
const type = s.string({ enum: ['String', 'StringList', 'SecureString'] })
const tier = s.string({ enum: ['Standard', 'Advanced', 'Intelligent-Tiering'] })
const version = s.integer()
const labels = s.list(s.string({ min: 1, max: 100 }), { min: 1, max: 10 })
const decrypt = s.boolean()

const filters = s.list(
  s.structure(
    {
      Key: s.string({
        min: 1,
        max: 132,
        pattern: 'tag:.+|Name|Type|KeyId|Path|Label|Tier|DataType',
      }),
      Option: s.string({ min: 1, max: 10 }),
      Values: s.list(s.string({ min: 1, max: 1024 }), { min: 1, max: 50 }),
    },
    { required: ['Key'] },
  ),
)

const putParameter = s.structure(
  {
    Name: name,
    Description: s.string({ max: 1024 }),
    // The quota of 4 or 8 KB is the service's to refuse, in words that name the tier.
    Value: s.string({ min: 1, sensitive: true }),
    Type: type,
    KeyId: s.string({ min: 1, max: 256, pattern: '^([a-zA-Z0-9:/_-]+)$' }),
    Overwrite: s.boolean(),
    AllowedPattern: s.string({ max: 1024 }),
    Tags: tags,
    Tier: tier,
    Policies: s.string({ min: 1, max: 4096 }),
    DataType: s.string({ max: 128 }),
  },
  { required: ['Name', 'Value'] },
)

const getParameter = s.structure({ Name: name, WithDecryption: decrypt }, { required: ['Name'] })

const getParameters = s.structure({ Names: names, WithDecryption: decrypt }, { required: ['Names'] })

const getParametersByPath = s.structure(
  {
    Path: name,
    Recursive: s.boolean(),
    ParameterFilters: filters,
    WithDecryption: decrypt,
    MaxResults: s.integer({ min: 1, max: 10 }),
    NextToken: nextToken,
  },
  { required: ['Path'] },
)

const describeParameters = s.structure({
  Filters: s.list(
    s.structure(
      {
        Key: s.string({ enum: ['Name', 'Type', 'KeyId'] }),
        Values: s.list(s.string({ min: 1, max: 1024 }), { min: 1, max: 50 }),
      },
      { required: ['Key', 'Values'] },
    ),
  ),
  ParameterFilters: filters,
  MaxResults: maxResults,
  NextToken: nextToken,
  Shared: s.boolean(),
})

const getParameterHistory = s.structure(
  { Name: name, WithDecryption: decrypt, MaxResults: maxResults, NextToken: nextToken },
  { required: ['Name'] },
)

const deleteParameter = s.structure({ Name: name }, { required: ['Name'] })

const deleteParameters = s.structure({ Names: names }, { required: ['Names'] })

const labelParameterVersion = s.structure(
  { Name: name, ParameterVersion: version, Labels: labels },
  { required: ['Name', 'Labels'] },
)

const unlabelParameterVersion = s.structure(
  { Name: name, ParameterVersion: version, Labels: labels },
  { required: ['Name', 'ParameterVersion', 'Labels'] },
)

export const parameterOperations = {
  PutParameter: { input: putParameter },
  GetParameter: { input: getParameter },
  GetParameters: { input: getParameters },
  GetParametersByPath: { input: getParametersByPath },
  DescribeParameters: { input: describeParameters },
  GetParameterHistory: { input: getParameterHistory },
  DeleteParameter: { input: deleteParameter },
  DeleteParameters: { input: deleteParameters },
  LabelParameterVersion: { input: labelParameterVersion },
  UnlabelParameterVersion: { input: unlabelParameterVersion },
} as const

export type PutParameterInput = Infer<typeof putParameter>
export type DescribeParametersInput = Infer<typeof describeParameters>
export type ParameterFilter = Infer<typeof filters>[number]
export type ParameterType = Infer<typeof type>
export type ParameterTier = Infer<typeof tier>

export type Parameter = {
  readonly Name: string
  readonly Type: ParameterType
  readonly Value: string
  readonly Version: number
  /** As the request had it, with its colon: `:3` or `:label`. */
  readonly Selector?: string | undefined
  readonly LastModifiedDate: Timestamp
  readonly ARN: string
  readonly DataType: string
}

type ParameterDescription = {
  readonly Name: string
  readonly Type: ParameterType
  readonly KeyId?: string | undefined
  readonly LastModifiedDate: Timestamp
  /** ARN of a principal. */
  readonly LastModifiedUser: string
  readonly Description?: string | undefined
  readonly AllowedPattern?: string | undefined
  readonly Version: number
  readonly Tier: ParameterTier
  /** Always empty: there are no parameter policies. */
  readonly Policies: readonly never[]
  readonly DataType: string
}

export type ParameterMetadata = ParameterDescription & { readonly ARN: string }

export type ParameterHistory = ParameterDescription & {
  readonly Value: string
  readonly Labels: readonly string[]
}

export type PutParameterOutput = { readonly Version: number; readonly Tier: ParameterTier }
export type GetParameterOutput = { readonly Parameter: Parameter }
export type GetParametersOutput = {
  readonly Parameters: readonly Parameter[]
  readonly InvalidParameters: readonly string[]
}
export type GetParametersByPathOutput = {
  readonly Parameters: readonly Parameter[]
  readonly NextToken?: string | undefined
}
export type DescribeParametersOutput = {
  readonly Parameters: readonly ParameterMetadata[]
  readonly NextToken?: string | undefined
}
export type GetParameterHistoryOutput = {
  readonly Parameters: readonly ParameterHistory[]
  readonly NextToken?: string | undefined
}
export type DeleteParametersOutput = {
  readonly DeletedParameters: readonly string[]
  readonly InvalidParameters: readonly string[]
}
export type LabelParameterVersionOutput = {
  readonly InvalidLabels: readonly string[]
  readonly ParameterVersion: number
}
export type UnlabelParameterVersionOutput = {
  readonly RemovedLabels: readonly string[]
  readonly InvalidLabels: readonly string[]
}
