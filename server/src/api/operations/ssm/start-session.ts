import { randomBytes, randomUUID } from 'node:crypto'
import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { SessionTask } from '@sallyport/protocol/control-channel'
import { nodeSubject } from '@sallyport/server/bus/bus'
import { checkAgent } from '@sallyport/server/documents/agent-requirements'
import { bindParameters } from '@sallyport/server/documents/parameters'
import { kmsKeyOf, sessionLimits } from '@sallyport/server/documents/preferences'
import { type ResolvedDocument, resolveSessionDocument } from '@sallyport/server/documents/resolve'
import { PREFERENCES_DOCUMENT } from '@sallyport/server/documents/session-documents'
import { CLIENT_TOKEN_LIFETIME, newClientToken } from '@sallyport/server/iam/channel-tokens'
import { base32 } from '@sallyport/server/iam/session-credentials'
import type { Json } from '@sallyport/server/store/schema'
import { SessionQuotaError, type SessionQuotas } from '@sallyport/server/store/session-quotas'
import { operation } from '../../operation.ts'
import { documentResource, nodeResource } from '../../resources.ts'
import { streamUrl } from '../../stream-url.ts'
import { connectedNode } from '../../target.ts'
import { runAsUser } from './run-as-user.ts'

/** A session id has at most 96 characters (control-plane.md 19); 160 bits of it are random. */
const MAXIMUM_NAME = 60
const SUFFIX_BYTES = 20
/** What a node is told of a session at most; the document alone may have 64 KiB (control-plane.md 22). */
const MAXIMUM_TASK = 256 * 1024

/** control-plane.md 19. The answer goes out once the session and the node's task are stored (DESIGN 6.9). */
export const startSession = operation({
  input: ssmOperations.StartSession.input,
  callers: ['user'],
  resources: (input, context) => [
    nodeResource(context, input.Target),
    documentResource(context, input.DocumentName ?? PREFERENCES_DOCUMENT),
  ],
  run: async (context, input, principal) => {
    const { store, scope, now, bus, origin, sessionQuotas } = context
    const document = await resolveSessionDocument(store.documents, scope, input.DocumentName)
    refuseEncryption(document)
    const parameters = bindParameters(document.content, input.Parameters ?? {})
    const limits = sessionLimits(document.content)
    const runAs = await runAsUser(context, document, principal)
    const node = await connectedNode(context, input.Target)
    checkAgent(document, node)
    const sessionId = newSessionId(principal.userName)
    const { token, hash } = newClientToken()
    const task: SessionTask = {
      DocumentName: document.name,
      SessionId: sessionId,
      RunAsUser: runAs ?? '',
      SessionOwner: principal.arn,
      Parameters: parameters,
      DocumentContent: { inputs: {}, parameters: {}, ...document.content },
    }
    if (JSON.stringify(task).length > MAXIMUM_TASK) {
      throw new AwsError(
        'ValidationException',
        `The document and its parameters have more than ${MAXIMUM_TASK / 1024} KB together.`,
      )
    }
    const stored = store.sessions.insertWithTask(
      scope,
      {
        sessionId,
        nodeId: node.nodeId,
        ownerArn: principal.arn,
        ownerUserId: principal.userId,
        documentName: document.name,
        documentVersion: document.version,
        documentContent: document.content as Json,
        parameters,
        reason: input.Reason ?? null,
        runAsUser: runAs,
        startedAt: now,
        ...limits,
        clientTokenHash: hash,
        clientTokenExpiresAt: now + CLIENT_TOKEN_LIFETIME,
      },
      {
        taskId: randomUUID(),
        nodeId: node.nodeId,
        kind: 'start-session',
        sessionId,
        payload: task as Json,
        createdAt: now,
      },
      sessionQuotas,
    )
    await stored.catch(error => {
      throw error instanceof SessionQuotaError ? tooMany(error.quota, node.nodeId, sessionQuotas) : error
    })
    await bus.publish(nodeSubject(scope, node.nodeId), { type: 'tasks' })
    return { SessionId: sessionId, TokenValue: token, StreamUrl: streamUrl(origin, sessionId) }
  },
})

/** Safe as a file name, which agents make of it (data-plane.md 7.1). */
function newSessionId(name: string): string {
  const safe = name.replace(/[^a-zA-Z0-9@._=+-]/g, '-').slice(0, MAXIMUM_NAME)
  return `${safe}-${base32(randomBytes(SUFFIX_BYTES)).toLowerCase()}`
}

/** Not the name of an error that clients try again after: nothing changes until some session ends. */
function tooMany(quota: keyof SessionQuotas, nodeId: string, quotas: SessionQuotas): AwsError {
  const whose = quota === 'perNode' ? `${nodeId} has` : 'You have'
  return new AwsError(
    'ServiceQuotaExceededException',
    `${whose} ${quotas[quota]} sessions already, which is the most at a time. End one that is not needed (aws ssm describe-sessions --state Active, aws ssm terminate-session).`,
  )
}

/** DESIGN 6.7: refused, never downgraded. */
function refuseEncryption(document: ResolvedDocument): void {
  const key = kmsKeyOf(document.content)
  if (key === undefined) return
  throw new AwsError(
    'InvalidDocument',
    `Document ${document.name} wants sessions encrypted with the KMS key ${key}, which this server cannot do yet. Remove kmsKeyId from it, or from ${PREFERENCES_DOCUMENT} if it has no inputs of its own, to have sessions protected by TLS alone.`,
  )
}
