import { randomBytes, randomUUID } from 'node:crypto'
import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { StartSessionInput } from '@sallyport/protocol/api/ssm-sessions'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { SessionTask } from '@sallyport/protocol/control-channel'
import { nodeSubject } from '@sallyport/server/bus/bus'
import { checkAgent } from '@sallyport/server/documents/agent-requirements'
import { bindParameters } from '@sallyport/server/documents/parameters'
import { kmsKeyOf, sessionLimits } from '@sallyport/server/documents/preferences'
import { type ResolvedDocument, resolveSessionDocument } from '@sallyport/server/documents/resolve'
import { PREFERENCES_DOCUMENT } from '@sallyport/server/documents/session-documents'
import { CLIENT_TOKEN_LIFETIME, newClientToken } from '@sallyport/server/iam/channel-tokens'
import { sessionNameOf } from '@sallyport/server/iam/principal'
import { base32 } from '@sallyport/server/iam/session-credentials'
import { type Destination, destinationOf } from '@sallyport/server/session-authority/destination'
import { startSessionPlan } from '@sallyport/server/session-authority/plan'
import { authorityRecord } from '@sallyport/server/session-authority/record'
import { runAsUser } from '@sallyport/server/session-authority/run-as-user'
import type { Json } from '@sallyport/server/store/schema'
import { SessionQuotaError, type SessionQuotas } from '@sallyport/server/store/session-quotas'
import { type OperationContext, operation } from '../../operation.ts'
import { streamUrl } from '../../stream-url.ts'
import { connectedNode } from '../../target.ts'

/**
 * A session id has at most 96 characters (control-plane.md 19); 160 bits of it are random. Policies name one's own
 * sessions by the whole name in front (control-plane.md 34.3), so as much of it is kept as there is room for.
 */
const MAXIMUM_NAME = 63
const SUFFIX_BYTES = 20
/** What a node is told of a session at most; the document alone may have 64 KiB (control-plane.md 22). */
const MAXIMUM_TASK = 256 * 1024

/** control-plane.md 19. The answer goes out once the session and the node's task are stored (DESIGN 6.9). */
export const startSession = operation({
  input: ssmOperations.StartSession.input,
  callers: ['person'],
  access: async (input, context) =>
    startSessionPlan(context, {
      nodeId: input.Target,
      document: input.DocumentName,
      destination: await wantedDestination(context, input),
    }),
  run: async (context, input, principal) => {
    const { store, scope, now, bus, origin, sessionQuotas, access, facts } = context
    const document = await resolveSessionDocument(store.documents, scope, input.DocumentName)
    refuseEncryption(document)
    const parameters = bindParameters(document.content, input.Parameters ?? {})
    const limits = sessionLimits(document.content)
    const destination = destinationOf(document.content, parameters)
    const runAs = await runAsUser(access, document, principal, facts)
    const node = await connectedNode(context, input.Target)
    checkAgent(document, node)
    const sessionId = newSessionId(sessionNameOf(principal))
    const { token, hash } = newClientToken()
    const task: SessionTask = {
      DocumentName: document.name,
      SessionId: sessionId,
      RunAsUser: runAs ?? '',
      SessionOwner: principal.arn,
      Parameters: parameters,
      DocumentContent: { inputs: {}, parameters: {}, ...document.content },
      ...(destination && {
        Sallyport: { Destinations: [{ Host: destination.given, Port: destination.port }] },
      }),
    }
    checkSize(task)
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
        authority: authorityRecord(principal, facts, input.DocumentName !== undefined),
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

/** Undefined also for what is refused afterwards: of that nobody is told who may not start the session anyway. */
async function wantedDestination(
  { store, scope }: OperationContext,
  { DocumentName, Parameters = {} }: StartSessionInput,
): Promise<Destination | undefined> {
  try {
    const { content } = await resolveSessionDocument(store.documents, scope, DocumentName)
    return destinationOf(content, bindParameters(content, Parameters))
  } catch (error) {
    if (error instanceof AwsError) return undefined
    throw error
  }
}

/** Safe as a file name, which agents make of it (data-plane.md 7.1). */
function newSessionId(name: string): string {
  const safe = name.replace(/[^a-zA-Z0-9@._=+-]/g, '-').slice(0, MAXIMUM_NAME)
  return `${safe}-${base32(randomBytes(SUFFIX_BYTES)).toLowerCase()}`
}

function checkSize(task: SessionTask): void {
  if (JSON.stringify(task).length <= MAXIMUM_TASK) return
  throw new AwsError(
    'ValidationException',
    `The document and its parameters have more than ${MAXIMUM_TASK / 1024} KB together.`,
  )
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
