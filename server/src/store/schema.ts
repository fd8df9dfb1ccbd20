/**
 * The tables, as the query builder sees them. Everything here has to mean the same in SQLite and PostgreSQL:
 * times are epoch milliseconds in `bigint`, JSON is text, booleans are 0 or 1. The account and the region are the
 * first part of every primary key.
 */
export type Schema = {
  users: UserRow
  accessKeys: AccessKeyRow
  userGroups: UserGroupRow
  groupMembers: GroupMemberRow
  roles: RoleRow
  managedPolicies: ManagedPolicyRow
  policyVersions: PolicyVersionRow
  attachedPolicies: AttachedPolicyRow
  inlinePolicies: InlinePolicyRow
  instanceProfiles: InstanceProfileRow
  profileAssociations: ProfileAssociationRow
  loginProfiles: LoginProfileRow
  activations: ActivationRow
  nodes: NodeRow
  tags: TagRow
  sessions: SessionRow
  tasks: TaskRow
  documents: DocumentRow
  documentShares: DocumentShareRow
  commands: CommandRow
  invocations: InvocationRow
  stepResults: StepResultRow
  parameters: ParameterRow
  parameterLabels: ParameterLabelRow
  serviceSettings: ServiceSettingRow
  secrets: SecretRow
  milestones: MilestoneRow
}

/** Where a record belongs. Every query carries one. */
export type Scope = { accountId: string; region: string }

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

export type UserRow = Scope & {
  userName: string
  userId: string
  path: string
  createdAt: number
  /** ARN of a managed policy. */
  permissionsBoundary: string | null
}

export type AccessKeyRow = Scope & {
  accessKeyId: string
  userName: string
  sealedSecret: string
  status: 'Active' | 'Inactive'
  createdAt: number
  lastUsedAt: number | null
  lastUsedService: string | null
  lastUsedRegion: string | null
}

export type UserGroupRow = Scope & { groupName: string; groupId: string; path: string; createdAt: number }

export type GroupMemberRow = Scope & { groupName: string; userName: string }

export type RoleRow = Scope & {
  roleName: string
  roleId: string
  path: string
  description: string | null
  /** JSON, as it was written. */
  trustPolicy: string
  /** Seconds. */
  maxSessionDuration: number
  permissionsBoundary: string | null
  createdAt: number
  lastUsedAt: number | null
  lastUsedRegion: string | null
}

export type ManagedPolicyRow = Scope & {
  policyName: string
  policyId: string
  policyArn: string
  path: string
  description: string | null
  defaultVersion: number
  /** The highest number that a version ever had: numbers are not used again. */
  latestVersion: number
  createdAt: number
  updatedAt: number
}

export type PolicyVersionRow = Scope & {
  policyName: string
  version: number
  /** JSON, as it was written. */
  document: string
  createdAt: number
}

/** What can have policies. */
export type PolicyOwner = 'user' | 'group' | 'role'

export type AttachedPolicyRow = Scope & {
  ownerType: PolicyOwner
  ownerName: string
  policyArn: string
  attachedAt: number
}

export type InlinePolicyRow = Scope & {
  ownerType: PolicyOwner
  ownerName: string
  policyName: string
  document: string
}

export type InstanceProfileRow = Scope & {
  profileName: string
  profileId: string
  path: string
  roleName: string | null
  createdAt: number
}

export type ProfileAssociationRow = Scope & {
  associationId: string
  nodeId: string
  profileName: string
  createdAt: number
}

export type LoginProfileRow = Scope & {
  userName: string
  passwordHash: string
  passwordResetRequired: number
  createdAt: number
}

export type ActivationRow = Scope & {
  activationId: string
  codeHash: string
  description: string | null
  defaultInstanceName: string | null
  iamRole: string
  registrationLimit: number
  registrationsCount: number
  expiresAt: number
  createdAt: number
  tags: string
}

export type NodeRow = Scope & {
  nodeId: string
  kind: 'managed-instance' | 'instance'
  activationId: string | null
  iamRole: string | null
  roleId: string | null
  name: string | null
  publicKey: string
  fingerprint: string
  registeredAt: number
  deregisteredAt: number | null
  agentName: string | null
  agentVersion: string | null
  platformType: string | null
  platformName: string | null
  platformVersion: string | null
  computerName: string | null
  ipAddress: string | null
  connectionChannel: string | null
  lastPingAt: number | null
  connected: number
  connectionEpoch: number
  connectionServer: string | null
  connectedAt: number | null
  disconnectedAt: number | null
  /** When its agent last proved its key, connected or not. */
  lastSeenAt: number | null
}

export type TagRow = Scope & { resourceType: string; resourceId: string; tagKey: string; tagValue: string }

export type SessionStatus =
  | 'Connecting'
  | 'Connected'
  | 'Disconnected'
  | 'Terminating'
  | 'Terminated'
  | 'Failed'

export type SessionRow = Scope & {
  sessionId: string
  nodeId: string
  ownerArn: string
  ownerUserId: string
  documentName: string
  documentVersion: string
  documentContent: string
  parameters: string
  reason: string | null
  status: SessionStatus
  details: string | null
  startedAt: number
  connectedAt: number | null
  endedAt: number | null
  idleTimeoutMs: number | null
  maxDurationMs: number | null
  clientTokenHash: string | null
  clientTokenExpiresAt: number | null
  clientTokenUsedAt: number | null
  agreed: string | null
  runAsUser: string | null
  dataPlane: string | null
  /** Who started it and in which circumstances, for deciding again whether it is allowed. */
  authority: string | null
}

export type TaskRow = Scope & {
  taskId: string
  nodeId: string
  kind: 'start-session' | 'end-session'
  sessionId: string
  payload: string
  createdAt: number
}

export type DocumentRow = Scope & {
  name: string
  version: number
  documentType: string
  documentFormat: string
  content: string
  hash: string
  isDefault: number
  createdAt: number
  displayName: string | null
  versionName: string | null
  targetType: string | null
  status: string
  /** The highest number that a version ever had, as far as it is known: numbers are not used again. */
  highestVersion: number | null
}

export type DocumentShareRow = Scope & {
  name: string
  /** The id of another account, or `all`. */
  grantee: string
  /** A number, `$DEFAULT`, `$LATEST` or `$ALL`. */
  sharedVersion: string
}

export type CommandStatus =
  | 'Pending'
  | 'InProgress'
  | 'Cancelling'
  | 'Success'
  | 'Cancelled'
  | 'Failed'
  | 'TimedOut'

export type CommandRow = Scope & {
  commandId: string
  documentName: string
  documentVersion: string
  /** JSON: the whole document, which the nodes get. */
  documentContent: string
  /** JSON: every parameter that the document declares, as the nodes get it. */
  boundParameters: string
  /** JSON: what the request said, as listings show it. */
  parameters: string
  instanceIds: string
  targets: string
  comment: string
  ownerArn: string
  requestedAt: number
  /** How long it may take until a node has it (seconds). */
  timeoutSeconds: number
  /** How long a node may take from when it has it, by the time-outs of the document's steps. */
  executionMs: number
  /** requestedAt + timeoutSeconds + executionMs */
  expiresAt: number
  /** As given: a number or a percentage. */
  maxConcurrency: string
  maxErrors: string
  /** What they come to for so many targets. */
  concurrencyLimit: number
  errorLimit: number
  /** JSON, what is only kept to be shown again: OutputS3Region …, NotificationConfig, CloudWatchOutputConfig. */
  settings: string
  status: CommandStatus
  details: string
  targetCount: number
  /** Invocations that the window has not let go yet; that were let go and have not ended; that have ended. */
  waitingCount: number
  activeCount: number
  completedCount: number
  successCount: number
  /** Failed and ExecutionTimedOut: what MaxErrors counts. */
  errorCount: number
  deliveryTimedOutCount: number
  cancelledCount: number
  /** Somebody cancelled the whole of it. */
  cancelRequestedAt: number | null
  endedAt: number | null
  /** Grows with every change of the command or of an invocation, which carries it then. */
  revision: number
}

export type InvocationStatus = CommandStatus | 'Delayed'

export type InvocationRow = Scope & {
  commandId: string
  nodeId: string
  /** From 0, in the order in which the window takes them. */
  position: number
  nodeName: string
  status: InvocationStatus
  details: string
  /** What the node is to be told: to run the command, or to stop it. */
  owed: 'command' | 'cancel' | null
  /** It is not to be told before, since it refused the command for now. */
  notBefore: number | null
  refusals: number
  /** The window let it go. */
  releasedAt: number | null
  /** First handed to a transport, which it may not have survived. */
  sentAt: number | null
  /** The node has it. */
  acceptedAt: number | null
  endedAt: number | null
  /** When the server itself has to act again: nobody took it, nobody finished it, it may be tried again. */
  deadline: number | null
  traceOutput: string
  revision: number
}

/** What one step of the document did on one node; of schema 1.x a whole plugin is a step. */
export type StepResultRow = Scope & {
  commandId: string
  nodeId: string
  stepName: string
  status: string
  code: number
  /** As agents shorten it: 2,500 characters of both, 24,000 of each. */
  output: string
  standardOutput: string
  standardError: string
  startedAt: number | null
  endedAt: number | null
}

export type ParameterRow = Scope & {
  name: string
  version: number
  isLatest: number
  /** The name without its last part: `/a/b` of `/a/b/c`, empty of `/a` and of `a`. */
  parent: string
  type: 'String' | 'StringList' | 'SecureString'
  /** Of a SecureString: sealed. */
  value: string
  tier: 'Standard' | 'Advanced'
  dataType: string
  description: string | null
  allowedPattern: string | null
  keyId: string | null
  modifiedAt: number
  /** ARN of a principal. */
  modifiedBy: string
}

/** A label is on one version of a parameter at a time. */
export type ParameterLabelRow = Scope & { name: string; label: string; version: number }

/** A setting that differs from its default. */
export type ServiceSettingRow = Scope & {
  settingId: string
  value: string
  modifiedAt: number
  /** ARN of a principal. */
  modifiedBy: string
}

export type SecretRow = Scope & { name: string; value: string }

export type MilestoneRow = Scope & { milestone: string; reachedAt: number }
