import { type Infer, s } from '../aws/shape.ts'
import { MAX_TEXT, nextToken, nodeId, type Timestamp } from './ssm-types.ts'
import { tags } from './tags.ts'

// The operations that agents call. They are in no published model; control-plane.md 2.2, 4 and 8 describe them.
// Bounds are generous where an agent fills in what it finds on its machine: a refused UpdateInstanceInformation
// makes it hibernate for minutes (control-plane.md 8.2).

/** What an agent cannot do without: it reports itself, and opens its channels (control-plane.md 8, 11). */
export const NODE_ACTIONS = [
  'ssm:UpdateInstanceInformation',
  'ssmmessages:CreateControlChannel',
  'ssmmessages:OpenControlChannel',
  'ssmmessages:CreateDataChannel',
  'ssmmessages:OpenDataChannel',
] as const

const publicKey = s.string({ min: 1, max: 4096 })
const text = s.string({ max: MAX_TEXT })

const registerManagedInstance = s.structure(
  {
    ActivationCode: s.string({ min: 20, max: 250, sensitive: true }),
    ActivationId: s.string({ min: 36, max: 36 }),
    // The id of the instance itself in the EC2 variant, else a uuid.
    Fingerprint: s.string({ min: 1, max: 128 }),
    PublicKey: publicKey,
    PublicKeyType: s.string({ enum: ['Rsa'] }),
    IamRole: s.string({ max: 64 }),
    Tags: tags,
    /** Ours: the node becomes an instance (`i-…`), whose role is that of an instance profile. */
    AsInstance: s.boolean(),
  },
  { required: ['Fingerprint', 'PublicKey'] },
)

const requestManagedInstanceRoleToken = s.structure(
  {
    Fingerprint: s.string({ min: 1, max: 128 }),
    /** Ours: seconds to wait for the answer until the node may be online. */
    WaitUntilAble: s.integer({ min: 0, max: 50 }),
  },
  { required: ['Fingerprint'] },
)

const updateManagedInstancePublicKey = s.structure(
  { NewPublicKey: publicKey, NewPublicKeyType: s.string({ enum: ['Rsa'] }) },
  { required: ['NewPublicKey', 'NewPublicKeyType'] },
)

const updateInstanceInformation = s.structure(
  {
    InstanceId: nodeId,
    AgentName: text,
    AgentStatus: text,
    AgentVersion: text,
    AvailabilityZone: text,
    AvailabilityZoneId: text,
    ComputerName: text,
    IPAddress: text,
    PlatformName: text,
    PlatformType: s.string({ enum: ['Linux', 'Windows', 'MacOS'] }),
    PlatformVersion: text,
    SSMConnectionChannel: text,
  },
  { required: ['InstanceId'] },
)

const listInstanceAssociations = s.structure(
  { InstanceId: nodeId, MaxResults: s.integer({ min: 1, max: 50 }), NextToken: nextToken },
  { required: ['InstanceId'] },
)

export const agentOperations = {
  RegisterManagedInstance: { input: registerManagedInstance },
  RequestManagedInstanceRoleToken: { input: requestManagedInstanceRoleToken },
  UpdateManagedInstancePublicKey: { input: updateManagedInstancePublicKey },
  UpdateInstanceInformation: { input: updateInstanceInformation },
  ListInstanceAssociations: { input: listInstanceAssociations },
} as const

export type RegisterManagedInstanceInput = Infer<typeof registerManagedInstance>
export type RequestManagedInstanceRoleTokenInput = Infer<typeof requestManagedInstanceRoleToken>
export type UpdateManagedInstancePublicKeyInput = Infer<typeof updateManagedInstancePublicKey>
export type UpdateInstanceInformationInput = Infer<typeof updateInstanceInformation>
export type ListInstanceAssociationsInput = Infer<typeof listInstanceAssociations>

export type RegisterManagedInstanceOutput = { readonly InstanceId: string }

/** Agents dereference every member: none may be missing or null (control-plane.md 4.1). */
export type RequestManagedInstanceRoleTokenOutput = {
  readonly AccessKeyId: string
  readonly SecretAccessKey: string
  readonly SessionToken: string
  readonly TokenExpirationDate: Timestamp
  readonly UpdateKeyPair: boolean
  /** Ours: why the node may not be online, if it may not. */
  readonly Lacking?: string | undefined
  /** Ours: which of NODE_ACTIONS the node's role does not allow, if it has a role. */
  readonly LackingActions?: readonly string[] | undefined
}

/** Agents dereference `Name` and `DocumentVersion` (control-plane.md 8.5). */
export type InstanceAssociation = {
  readonly AssociationId: string
  readonly Name: string
  readonly DocumentVersion: string
  readonly InstanceId: string
  readonly AssociationVersion?: string | undefined
  readonly Checksum?: string | undefined
  readonly Parameters?: Readonly<Record<string, readonly string[]>> | undefined
  readonly ScheduleExpression?: string | undefined
}

export type ListInstanceAssociationsOutput = {
  readonly Associations: readonly InstanceAssociation[]
  readonly NextToken?: string | undefined
}
