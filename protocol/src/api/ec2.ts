import { type Infer, s } from '../aws/shape.ts'

// control-plane.md 30. Members have the names that they have on the wire, where lists are numbered: `InstanceId.1`.

export const EC2_VERSION = '2016-11-15'

const dryRun = s.boolean()
const instanceId = s.string({ min: 1, max: 64 })
const associationId = s.string({ min: 1, max: 128 })
const maxResults = s.integer({ min: 5, max: 1000 })
const nextToken = s.string({ max: 4096 })

const filter = s.structure(
  {
    Name: s.string({ min: 1, max: 256 }),
    Value: s.list(s.string({ max: 1024 }), { max: 200 }),
  },
  { required: ['Name'] },
)
const filters = s.list(filter, { max: 50 })

const profile = s.structure({ Arn: s.string({ max: 2048 }), Name: s.string({ max: 128 }) })

// EC2 takes more characters than IAM (docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html, "Tag restrictions").
const tagKey = s.string({ min: 1, max: 128 })
const tagValue = s.string({ max: 256 })

const paged = { Filter: filters, MaxResults: maxResults, NextToken: nextToken, DryRun: dryRun }

const describeInstances = s.structure({ ...paged, InstanceId: s.list(instanceId) })
const describeInstanceStatus = s.structure({
  ...paged,
  InstanceId: s.list(instanceId),
  IncludeAllInstances: s.boolean(),
})
const terminateInstances = s.structure(
  { InstanceId: s.list(instanceId, { min: 1 }), DryRun: dryRun },
  { required: ['InstanceId'] },
)
const describeTags = s.structure(paged)
const describeAssociations = s.structure({ ...paged, AssociationId: s.list(associationId) })

const createTags = s.structure(
  {
    ResourceId: s.list(s.string({ min: 1, max: 256 }), { min: 1 }),
    Tag: s.list(s.structure({ Key: tagKey, Value: tagValue }, { required: ['Key'] }), { min: 1, max: 50 }),
    DryRun: dryRun,
  },
  { required: ['ResourceId', 'Tag'] },
)
const deleteTags = s.structure(
  {
    ResourceId: s.list(s.string({ min: 1, max: 256 }), { min: 1 }),
    Tag: s.list(s.structure({ Key: tagKey, Value: tagValue }, { required: ['Key'] })),
    DryRun: dryRun,
  },
  { required: ['ResourceId'] },
)

const associateProfile = s.structure(
  { IamInstanceProfile: profile, InstanceId: instanceId, DryRun: dryRun },
  { required: ['IamInstanceProfile', 'InstanceId'] },
)
const replaceAssociation = s.structure(
  { IamInstanceProfile: profile, AssociationId: associationId, DryRun: dryRun },
  { required: ['IamInstanceProfile', 'AssociationId'] },
)
const disassociateProfile = s.structure(
  { AssociationId: associationId, DryRun: dryRun },
  { required: ['AssociationId'] },
)

export const ec2Operations = {
  AssociateIamInstanceProfile: { input: associateProfile },
  CreateTags: { input: createTags },
  DeleteTags: { input: deleteTags },
  DescribeIamInstanceProfileAssociations: { input: describeAssociations },
  DescribeInstanceStatus: { input: describeInstanceStatus },
  DescribeInstances: { input: describeInstances },
  DescribeTags: { input: describeTags },
  DisassociateIamInstanceProfile: { input: disassociateProfile },
  ReplaceIamInstanceProfileAssociation: { input: replaceAssociation },
  TerminateInstances: { input: terminateInstances },
} as const

export type Ec2Filter = Infer<typeof filter>
export type ProfileSpecification = Infer<typeof profile>

/** Outputs have EC2's own element names. */
export type Ec2Tag = { readonly key: string; readonly value: string }
export type Ec2Profile = { readonly arn: string; readonly id: string }
export type InstanceState = { readonly code: number; readonly name: 'running' | 'stopped' | 'terminated' }

export type Instance = {
  readonly instanceId: string
  readonly instanceState: InstanceState
  readonly privateDnsName: string
  readonly dnsName: string
  readonly reason: string
  readonly instanceType: string
  readonly launchTime: Date
  readonly platform?: 'windows' | undefined
  readonly platformDetails?: string | undefined
  readonly monitoring: { readonly state: 'disabled' }
  readonly privateIpAddress?: string | undefined
  readonly tagSet: readonly Ec2Tag[]
  readonly iamInstanceProfile?: Ec2Profile | undefined
}

export type DescribeInstancesOutput = {
  readonly reservationSet: ReadonlyArray<{
    readonly reservationId: string
    readonly ownerId: string
    readonly instancesSet: readonly Instance[]
  }>
  readonly nextToken?: string | undefined
}

export type TerminateInstancesOutput = {
  readonly instancesSet: ReadonlyArray<{
    readonly instanceId: string
    readonly currentState: InstanceState
    readonly previousState: InstanceState
  }>
}

export type ProfileAssociation = {
  readonly associationId: string
  readonly instanceId: string
  readonly iamInstanceProfile: Ec2Profile
  readonly state: 'associated' | 'disassociated'
  readonly timestamp?: Date | undefined
}

export type ProfileAssociationOutput = { readonly iamInstanceProfileAssociation: ProfileAssociation }

export type DescribeAssociationsOutput = {
  readonly iamInstanceProfileAssociationSet: readonly ProfileAssociation[]
  readonly nextToken?: string | undefined
}

export type DescribeTagsOutput = {
  readonly tagSet: ReadonlyArray<Ec2Tag & { readonly resourceId: string; readonly resourceType: 'instance' }>
  readonly nextToken?: string | undefined
}
