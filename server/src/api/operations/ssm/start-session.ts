import { randomBytes, randomUUID } from 'node:crypto'
import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { SessionTask } from '@sallyport/protocol/control-channel'
import { nodeSubject } from '@sallyport/server/bus/bus'
import { bindParameters } from '@sallyport/server/documents/parameters'
import { kmsKeyOf, sessionLimits } from '@sallyport/server/documents/preferences'
import { type ResolvedDocument, resolveSessionDocument } from '@sallyport/server/documents/resolve'
import { PREFERENCES_DOCUMENT } from '@sallyport/server/documents/session-documents'
import { CLIENT_TOKEN_LIFETIME, newClientToken } from '@sallyport/server/iam/channel-tokens'
import { base32 } from '@sallyport/server/iam/session-credentials'
import type { Json } from '@sallyport/server/store/schema'
import { operation } from '../../operation.ts'
import { documentResource, nodeResource } from '../../resources.ts'
import { streamUrl } from '../../stream-url.ts'
import { connectedNode } from '../../target.ts'

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
    const { store, scope, now, bus, origin } = context
    const document = await resolveSessionDocument(store.documents, scope, input.DocumentName)
    refuseEncryption(document)
    const parameters = bindParameters(document.content, input.Parameters ?? {})
    const limits = sessionLimits(document.content)
    const node = await connectedNode(context, input.Target)
    const sessionId = newSessionId(principal.userName)
    const { token, hash } = newClientToken()
    const task: SessionTask = {
      DocumentName: document.name,
      SessionId: sessionId,
      RunAsUser: '',
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
    await store.sessions.insertWithTask(
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
    )
    await bus.publish(nodeSubject(scope, node.nodeId), { type: 'tasks' })
    return { SessionId: sessionId, TokenValue: token, StreamUrl: streamUrl(origin, sessionId) }
  },
})

/** Safe as a file name, which agents make of it (data-plane.md 7.1). */
function newSessionId(name: string): string {
  const safe = name.replace(/[^a-zA-Z0-9@._=+-]/g, '-').slice(0, MAXIMUM_NAME)
  return `${safe}-${base32(randomBytes(SUFFIX_BYTES)).toLowerCase()}`
}

/** DESIGN 6.7: refused, never downgraded. */
function refuseEncryption(document: ResolvedDocument): void {
  const key = kmsKeyOf(document.content)
  if (key === undefined) return
  throw new AwsError(
    'InvalidDocument',
    `Document ${document.name} wants sessions encrypted with the KMS key ${key}, which this server cannot do yet. Remove kmsKeyId from it to have sessions protected by TLS alone.`,
  )
}
