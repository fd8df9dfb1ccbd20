import { type Infer, s } from '../aws/shape.ts'
import { maxResults, nextToken, type Timestamp } from './ssm-types.ts'
import { type Tag, tagKey, tags } from './tags.ts'

// control-plane.md 20 and 23

const activationId = s.string({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' })

const notBlank = (max: number) => s.string({ min: 1, max, pattern: '^(?!\\s*$).+' })

const createActivation = s.structure(
  {
    Description: s.string({ max: 256 }),
    DefaultInstanceName: s.string({ max: 256, pattern: '^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$' }),
    IamRole: s.string({ max: 64 }),
    RegistrationLimit: s.integer({ min: 1, max: 1000 }),
    ExpirationDate: s.timestamp(),
    Tags: tags,
    RegistrationMetadata: s.list(
      s.structure({ Key: notBlank(128), Value: notBlank(2048) }, { required: ['Key', 'Value'] }),
    ),
  },
  { required: ['IamRole'] },
)

const describeActivations = s.structure({
  Filters: s.list(
    s.structure({
      FilterKey: s.string({ enum: ['ActivationIds', 'DefaultInstanceName', 'IamRole'] }),
      FilterValues: s.list(s.string({ max: 256 })),
    }),
  ),
  MaxResults: maxResults,
  NextToken: nextToken,
})

const deleteActivation = s.structure({ ActivationId: activationId }, { required: ['ActivationId'] })

const deregisterManagedInstance = s.structure(
  {
    InstanceId: s.string({
      // AWS deregisters managed instances only; ours that are enrolled as EC2 instances go the same way.
      min: 19,
      max: 124,
      pattern: '(^m?i-[0-9a-f]{17}$)|(^eks_c:[0-9A-Za-z][A-Za-z0-9\\-_]{0,99}_\\w{17}$)',
    }),
  },
  { required: ['InstanceId'] },
)

const updateManagedInstanceRole = s.structure(
  {
    InstanceId: s.string({ min: 20, max: 20, pattern: '^mi-[0-9a-f]{17}$' }),
    IamRole: s.string({ min: 1, max: 64 }),
  },
  { required: ['InstanceId', 'IamRole'] },
)

const filterValues = s.list(s.string({ min: 1, max: 1024 }), { min: 1, max: 100 })

const describeInstanceInformation = s.structure({
  InstanceInformationFilterList: s.list(
    s.structure(
      {
        key: s.string({
          enum: [
            'InstanceIds',
            'AgentVersion',
            'PingStatus',
            'PlatformTypes',
            'ActivationIds',
            'IamRole',
            'ResourceType',
            'AssociationStatus',
          ],
        }),
        valueSet: filterValues,
      },
      { required: ['key', 'valueSet'] },
    ),
  ),
  Filters: s.list(
    s.structure(
      { Key: s.string({ min: 1, max: 256 }), Values: filterValues },
      { required: ['Key', 'Values'] },
    ),
  ),
  MaxResults: s.integer({ min: 5, max: 50 }),
  NextToken: nextToken,
})

const listAssociations = s.structure({
  AssociationFilterList: s.list(
    s.structure(
      {
        key: s.string({
          enum: [
            'InstanceId',
            'Name',
            'AssociationId',
            'AssociationStatusName',
            'LastExecutedBefore',
            'LastExecutedAfter',
            'AssociationName',
            'ResourceGroupName',
          ],
        }),
        value: s.string({ min: 1, max: 1024 }),
      },
      { required: ['key', 'value'] },
    ),
    { min: 1 },
  ),
  MaxResults: maxResults,
  NextToken: nextToken,
})

const resource = {
  ResourceType: s.string({
    enum: [
      'Document',
      'ManagedInstance',
      'MaintenanceWindow',
      'Parameter',
      'PatchBaseline',
      'OpsItem',
      'OpsMetadata',
      'Automation',
      'Association',
    ],
  }),
  ResourceId: s.string({ max: 2048 }),
}

const addTagsToResource = s.structure(
  { ...resource, Tags: tags },
  { required: ['ResourceType', 'ResourceId', 'Tags'] },
)

const removeTagsFromResource = s.structure(
  { ...resource, TagKeys: s.list(tagKey) },
  { required: ['ResourceType', 'ResourceId', 'TagKeys'] },
)

const listTagsForResource = s.structure(resource, { required: ['ResourceType', 'ResourceId'] })

export const nodeOperations = {
  CreateActivation: { input: createActivation },
  DescribeActivations: { input: describeActivations },
  DeleteActivation: { input: deleteActivation },
  DeregisterManagedInstance: { input: deregisterManagedInstance },
  UpdateManagedInstanceRole: { input: updateManagedInstanceRole },
  DescribeInstanceInformation: { input: describeInstanceInformation },
  ListAssociations: { input: listAssociations },
  AddTagsToResource: { input: addTagsToResource },
  RemoveTagsFromResource: { input: removeTagsFromResource },
  ListTagsForResource: { input: listTagsForResource },
} as const

export type CreateActivationInput = Infer<typeof createActivation>
export type DescribeActivationsInput = Infer<typeof describeActivations>
export type DeleteActivationInput = Infer<typeof deleteActivation>
export type DeregisterManagedInstanceInput = Infer<typeof deregisterManagedInstance>
export type UpdateManagedInstanceRoleInput = Infer<typeof updateManagedInstanceRole>
export type DescribeInstanceInformationInput = Infer<typeof describeInstanceInformation>
export type ListAssociationsInput = Infer<typeof listAssociations>
export type AddTagsToResourceInput = Infer<typeof addTagsToResource>
export type RemoveTagsFromResourceInput = Infer<typeof removeTagsFromResource>
export type ListTagsForResourceInput = Infer<typeof listTagsForResource>

/** The only time the code is shown. */
export type CreateActivationOutput = { readonly ActivationId: string; readonly ActivationCode: string }

export type Activation = {
  readonly ActivationId: string
  readonly Description?: string | undefined
  readonly DefaultInstanceName?: string | undefined
  readonly IamRole: string
  readonly RegistrationLimit: number
  readonly RegistrationsCount: number
  readonly ExpirationDate: Timestamp
  readonly Expired: boolean
  readonly CreatedDate: Timestamp
  readonly Tags?: readonly Tag[] | undefined
}

export type DescribeActivationsOutput = {
  readonly ActivationList: readonly Activation[]
  readonly NextToken?: string | undefined
}

/** `ActivationId`, `IamRole`, `RegistrationDate` and `Name` only for nodes that registered with an activation. */
export type InstanceInformation = {
  readonly InstanceId: string
  readonly PingStatus: 'Online' | 'ConnectionLost' | 'Inactive'
  readonly LastPingDateTime?: Timestamp | undefined
  readonly AgentVersion?: string | undefined
  readonly IsLatestVersion?: boolean | undefined
  readonly PlatformType?: 'Windows' | 'Linux' | 'MacOS' | undefined
  readonly PlatformName?: string | undefined
  readonly PlatformVersion?: string | undefined
  readonly ActivationId?: string | undefined
  readonly IamRole?: string | undefined
  readonly RegistrationDate?: Timestamp | undefined
  readonly ResourceType?: 'ManagedInstance' | 'EC2Instance' | undefined
  readonly Name?: string | undefined
  readonly IPAddress?: string | undefined
  readonly ComputerName?: string | undefined
  readonly SourceId?: string | undefined
  readonly SourceType?: 'AWS::EC2::Instance' | 'AWS::IoT::Thing' | 'AWS::SSM::ManagedInstance' | undefined
}

export type DescribeInstanceInformationOutput = {
  readonly InstanceInformationList: readonly InstanceInformation[]
  readonly NextToken?: string | undefined
}

export type ListTagsForResourceOutput = { readonly TagList: readonly Tag[] }
