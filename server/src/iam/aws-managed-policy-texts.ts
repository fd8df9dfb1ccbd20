// AWS's managed policies, as far as they are about what exists here. Their content is what the AWS Managed Policy
// Reference Guide gives (docs.aws.amazon.com/aws-managed-policy/latest/reference/), and so are dates and versions.
// The ids that begin with ANPAZKAPJZG4 are not told there: these are of the form that AWS's have.

export type AwsPolicyText = {
  policyName: string
  policyId: string
  path: '/' | '/service-role/'
  description: string
  /** The only version that is kept here. */
  defaultVersion: number
  /** Milliseconds since the epoch. */
  createdAt: number
  updatedAt: number
  statements: readonly object[]
}

const agentActions = [
  'ssm:DescribeAssociation',
  'ssm:GetDeployablePatchSnapshotForInstance',
  'ssm:GetDocument',
  'ssm:DescribeDocument',
  'ssm:GetManifest',
]
const agentReports = [
  'ssm:ListAssociations',
  'ssm:ListInstanceAssociations',
  'ssm:PutInventory',
  'ssm:PutComplianceItems',
  'ssm:PutConfigurePackageResult',
  'ssm:UpdateAssociationStatus',
  'ssm:UpdateInstanceAssociationStatus',
  'ssm:UpdateInstanceInformation',
]
const channelActions = [
  'ssmmessages:CreateControlChannel',
  'ssmmessages:CreateDataChannel',
  'ssmmessages:OpenControlChannel',
  'ssmmessages:OpenDataChannel',
]
const messageActions = [
  'ec2messages:AcknowledgeMessage',
  'ec2messages:DeleteMessage',
  'ec2messages:FailMessage',
  'ec2messages:GetEndpoint',
  'ec2messages:GetMessages',
  'ec2messages:SendReply',
]
const ssmServiceRole = 'arn:aws:iam::*:role/aws-service-role/ssm.amazonaws.com/AWSServiceRoleForAmazonSSM*'

const allow = (Action: string | readonly string[], more: object = { Resource: '*' }) => ({
  Effect: 'Allow',
  Action,
  ...more,
})
const named = (Sid: string, statement: object) => ({ Sid, ...statement })

/** By name. */
export const awsPolicyTexts: readonly AwsPolicyText[] = [
  {
    policyName: 'AdministratorAccess',
    policyId: 'ANPAIWMBCKSKIEE64ZLYK',
    path: '/',
    description: 'Provides full access to AWS services and resources.',
    defaultVersion: 1,
    createdAt: Date.UTC(2015, 1, 6, 18, 39, 46),
    updatedAt: Date.UTC(2015, 1, 6, 18, 39, 46),
    statements: [allow('*')],
  },
  {
    policyName: 'AmazonEC2RoleforSSM',
    policyId: 'ANPAI6TL3SMY22S4KMMX6',
    path: '/service-role/',
    description:
      'This policy will soon be deprecated. Please use AmazonSSMManagedInstanceCore policy to enable AWS Systems Manager service core functionality on EC2 instances.',
    defaultVersion: 8,
    createdAt: Date.UTC(2015, 4, 29, 17, 48, 35),
    updatedAt: Date.UTC(2019, 0, 24, 19, 20, 51),
    statements: [
      allow([...agentActions, 'ssm:GetParameters', ...agentReports]),
      allow(channelActions),
      allow(messageActions),
      allow(['cloudwatch:PutMetricData']),
      allow(['ec2:DescribeInstanceStatus']),
      allow(['ds:CreateComputer', 'ds:DescribeDirectories']),
      allow([
        'logs:CreateLogGroup',
        'logs:CreateLogStream',
        'logs:DescribeLogGroups',
        'logs:DescribeLogStreams',
        'logs:PutLogEvents',
      ]),
      allow([
        's3:GetBucketLocation',
        's3:PutObject',
        's3:GetObject',
        's3:GetEncryptionConfiguration',
        's3:AbortMultipartUpload',
        's3:ListMultipartUploadParts',
        's3:ListBucket',
        's3:ListBucketMultipartUploads',
      ]),
    ],
  },
  {
    policyName: 'AmazonSSMFullAccess',
    policyId: 'ANPAJA7V6HI4ISQFMDYAG',
    path: '/',
    description: 'Provides full access to Amazon SSM.',
    defaultVersion: 4,
    createdAt: Date.UTC(2015, 4, 29, 17, 39, 47),
    updatedAt: Date.UTC(2019, 10, 20, 20, 8, 56),
    statements: [
      allow([
        'cloudwatch:PutMetricData',
        'ds:CreateComputer',
        'ds:DescribeDirectories',
        'ec2:DescribeInstanceStatus',
        'logs:*',
        'ssm:*',
        'ec2messages:*',
      ]),
      allow('iam:CreateServiceLinkedRole', {
        Resource: ssmServiceRole,
        Condition: { StringLike: { 'iam:AWSServiceName': 'ssm.amazonaws.com' } },
      }),
      allow(['iam:DeleteServiceLinkedRole', 'iam:GetServiceLinkedRoleDeletionStatus'], {
        Resource: ssmServiceRole,
      }),
      allow(channelActions),
    ],
  },
  {
    policyName: 'AmazonSSMManagedEC2InstanceDefaultPolicy',
    policyId: 'ANPAZKAPJZG4LMGFI3EAO',
    path: '/',
    description: 'This policy enables AWS Systems Manager functionality on EC2 instances.',
    defaultVersion: 2,
    createdAt: Date.UTC(2022, 7, 30, 20, 54, 27),
    updatedAt: Date.UTC(2024, 6, 16, 18, 14, 7),
    statements: [
      named('AllowSSMAgentPermissions', allow([...agentActions, ...agentReports])),
      named('AllowSSMChannelMessaging', allow(channelActions)),
      named('AllowSSMLegacyMessaging', allow(messageActions)),
    ],
  },
  {
    policyName: 'AmazonSSMManagedInstanceCore',
    policyId: 'ANPAIXSHM2BNB2D3AXXRU',
    path: '/',
    description: 'The policy for Amazon EC2 Role to enable AWS Systems Manager service core functionality.',
    defaultVersion: 2,
    createdAt: Date.UTC(2019, 2, 15, 17, 22, 12),
    updatedAt: Date.UTC(2019, 4, 23, 16, 54, 21),
    statements: [
      allow([...agentActions, 'ssm:GetParameter', 'ssm:GetParameters', ...agentReports]),
      allow(channelActions),
      allow(messageActions),
    ],
  },
  {
    policyName: 'AmazonSSMReadOnlyAccess',
    policyId: 'ANPAJODSKQGGJTHRYZ5FC',
    path: '/',
    description: 'Provides read only access to Amazon SSM.',
    defaultVersion: 1,
    createdAt: Date.UTC(2015, 4, 29, 17, 44, 19),
    updatedAt: Date.UTC(2015, 4, 29, 17, 44, 19),
    statements: [allow(['ssm:Describe*', 'ssm:Get*', 'ssm:List*'])],
  },
  {
    policyName: 'EC2InstanceConnect',
    policyId: 'ANPAZKAPJZG4CK7KWOMW3',
    path: '/',
    description:
      'Allows customers to call EC2 Instance Connect to publish ephemeral keys to their EC2 instances and connect via ssh or the EC2 Instance Connect CLI.',
    defaultVersion: 1,
    createdAt: Date.UTC(2019, 5, 27, 18, 53, 34),
    updatedAt: Date.UTC(2019, 5, 27, 18, 53, 34),
    statements: [
      named('EC2InstanceConnect', allow(['ec2:DescribeInstances', 'ec2-instance-connect:SendSSHPublicKey'])),
    ],
  },
  {
    policyName: 'IAMFullAccess',
    policyId: 'ANPAI7XKCFMBPM3QQRRVQ',
    path: '/',
    description: 'Provides full access to IAM via the AWS Management Console.',
    defaultVersion: 2,
    createdAt: Date.UTC(2015, 1, 6, 18, 40, 38),
    updatedAt: Date.UTC(2019, 5, 21, 19, 40, 0),
    statements: [
      allow([
        'iam:*',
        'organizations:DescribeAccount',
        'organizations:DescribeOrganization',
        'organizations:DescribeOrganizationalUnit',
        'organizations:DescribePolicy',
        'organizations:ListChildren',
        'organizations:ListParents',
        'organizations:ListPoliciesForTarget',
        'organizations:ListRoots',
        'organizations:ListPolicies',
        'organizations:ListTargetsForPolicy',
      ]),
    ],
  },
  {
    policyName: 'PowerUserAccess',
    policyId: 'ANPAJYRXTHIB4FOVS3ZXS',
    path: '/',
    description:
      'Provides full access to AWS services and resources, but does not allow management of Users and groups.',
    defaultVersion: 12,
    createdAt: Date.UTC(2015, 1, 6, 18, 39, 47),
    updatedAt: Date.UTC(2026, 1, 12, 17, 59, 14),
    statements: [
      { Effect: 'Allow', NotAction: ['iam:*', 'organizations:*', 'account:*'], Resource: '*' },
      allow([
        'account:GetAccountInformation',
        'account:GetGovCloudAccountInformation',
        'account:GetPrimaryEmail',
        'account:ListRegions',
        'iam:CreateServiceLinkedRole',
        'iam:DeleteServiceLinkedRole',
        'iam:ListRoles',
        'organizations:DescribeEffectivePolicy',
        'organizations:DescribeOrganization',
      ]),
    ],
  },
  {
    // AWS's goes through some hundred services; this has those that are here.
    policyName: 'ReadOnlyAccess',
    policyId: 'ANPAILL3HVNFSB6DCOWYQ',
    path: '/',
    description: 'Provides read-only access to AWS services and resources.',
    defaultVersion: 182,
    createdAt: Date.UTC(2015, 1, 6, 18, 39, 48),
    updatedAt: Date.UTC(2026, 3, 3, 15, 27, 12),
    statements: [
      allow([
        'cloudtrail:Describe*',
        'cloudtrail:Get*',
        'cloudtrail:List*',
        'cloudtrail:LookupEvents',
        'ec2:Describe*',
        'ec2:Get*',
        'ec2messages:Get*',
        'iam:Generate*',
        'iam:Get*',
        'iam:List*',
        'iam:Simulate*',
        'kms:Describe*',
        'kms:Get*',
        'kms:List*',
        'logs:Describe*',
        'logs:FilterLogEvents',
        'logs:Get*',
        'logs:ListTagsForResource',
        'logs:ListTagsLogGroup',
        'logs:StartLiveTail',
        'logs:StartQuery',
        'logs:StopLiveTail',
        'logs:StopQuery',
        'logs:TestMetricFilter',
        's3:DescribeJob',
        's3:Get*',
        's3:List*',
        'ssm:Describe*',
        'ssm:Get*',
        'ssm:List*',
        'sts:GetAccessKeyInfo',
        'sts:GetCallerIdentity',
        'sts:GetSessionToken',
      ]),
    ],
  },
]
