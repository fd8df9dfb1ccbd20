/**
 * The tables, as the query builder sees them. Everything here has to mean the same in SQLite and PostgreSQL:
 * times are epoch milliseconds in `bigint`, JSON is text, booleans are 0 or 1. The account and the region are the
 * first part of every primary key.
 */
export type Schema = {
  users: UserRow
  accessKeys: AccessKeyRow
  activations: ActivationRow
  nodes: NodeRow
  tags: TagRow
  sessions: SessionRow
  tasks: TaskRow
  documents: DocumentRow
  secrets: SecretRow
}

/** Where a record belongs. Every query carries one. */
export type Scope = { accountId: string; region: string }

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

export type UserRow = Scope & { userName: string; userId: string; path: string; createdAt: number }

export type AccessKeyRow = Scope & {
  accessKeyId: string
  userName: string
  sealedSecret: string
  status: 'Active' | 'Inactive'
  createdAt: number
  lastUsedAt: number | null
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
}

export type SecretRow = Scope & { name: string; value: string }
