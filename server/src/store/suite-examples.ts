import type { NewDocumentVersion } from './documents.ts'
import type { NewNode } from './nodes.ts'
import type { NewSession } from './sessions.ts'

// Records as the store suites put them in.

export const activation = (activationId: string, createdAt = 1_000) => ({
  activationId,
  codeHash: 'hash',
  description: null,
  defaultInstanceName: 'web',
  iamRole: 'service-role/SSM',
  registrationLimit: 2,
  expiresAt: 5_000,
  createdAt,
  tags: [{ Key: 'env', Value: 'prod' }],
})
export const node = (nodeId: string, more: Partial<NewNode> = {}): NewNode => ({
  nodeId,
  kind: 'managed-instance',
  publicKey: 'key',
  fingerprint: 'print',
  registeredAt: 1_000,
  ...more,
})
export const session = (sessionId: string, more: Partial<NewSession> = {}): NewSession => ({
  sessionId,
  nodeId: 'mi-1',
  ownerArn: 'arn:aws:iam::1:user/ada',
  ownerUserId: 'AIDA1',
  documentName: 'SSM-SessionManagerRunShell',
  documentVersion: '1',
  documentContent: { schemaVersion: '1.0' },
  parameters: { command: ['ls'] },
  startedAt: 1_000,
  ...more,
})
export const task = (taskId: string, sessionId: string, createdAt = 1_000) => ({
  taskId,
  nodeId: 'mi-1',
  kind: 'start-session' as const,
  sessionId,
  payload: { deep: [1, 'two', null] },
  createdAt,
})
export const document = (name: string, content = '{}'): NewDocumentVersion => ({
  name,
  documentType: 'Session',
  documentFormat: 'JSON',
  content,
  hash: content,
  createdAt: 1_000,
})
