import { randomUUID } from 'node:crypto'
import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { SendCommandInput } from '@sallyport/protocol/api/ssm-commands'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { CommandTarget, NewCommand } from '@sallyport/server/commands/commands'
import {
  executionTimeoutMs,
  type ResolvedCommandDocument,
  resolveCommandDocument,
} from '@sallyport/server/documents/command-document'
import { bindParameters } from '@sallyport/server/documents/parameters'
import type { AccessCheck } from '@sallyport/server/iam/access-plan'
import type { Person } from '@sallyport/server/iam/principal'
import type { ManagedNode } from '@sallyport/server/store/nodes'
import type { Json } from '@sallyport/server/store/schema'
import { type OperationContext, operation } from '../../operation.ts'
import { passRoleCheck } from '../../pass-role.ts'
import { documentCheck, nodeCheck } from '../../resource-conditions.ts'
import { decidedTargets, toTarget } from './command-access.ts'
import { COMMAND_SERVICE, readSettings, roleOf } from './command-settings.ts'
import { checkDuplicates, isNodeId, namedNodes, registeredNodes, targetedNodes } from './command-targets.ts'
import { describeCommand } from './commands.ts'
import { decideMadeUp, referenceChecks } from './made-up-references.ts'
import { checkParameterReferences } from './parameter-references.ts'

const DEFAULT_TIMEOUT_S = 3600
const DEFAULT_CONCURRENCY = '50'
const DEFAULT_ERRORS = '0'
/** What a node is told of a command at most, as text in JSON; the document alone may have 64 KiB (control-plane.md 22). */
const MAXIMUM_JOB = 256 * 1024

/** control-plane.md 21. Once it answers, the command and all its invocations are stored. */
export const sendCommand = operation({
  input: ssmOperations.SendCommand.input,
  callers: ['person'],
  access: async (input, context) => ({
    all: [
      await documentCheck(context, input.DocumentName),
      ...(await Promise.all(
        namedNodes(input)
          .filter(isNodeId)
          .map(id => nodeCheck(context, id)),
      )),
      ...(await settingsChecks(context, input)),
      ...(await referenceChecks(context, input.Parameters)),
    ],
  }),
  run: async (context, input, principal) => {
    const { store, scope } = context
    const { InstanceIds = [], Targets = [] } = input
    if (InstanceIds.length > 0 === Targets.length > 0) {
      throw new AwsError('ValidationException', 'Give either InstanceIds or Targets, and not both.')
    }
    checkDuplicates(InstanceIds)
    const document = await resolveCommandDocument(
      store.documents,
      scope,
      input.DocumentName,
      input.DocumentVersion,
    )
    checkHash(document, input)
    const command = newCommand(input, document, await readSettings(context, input), context.now, principal)
    // First, so that nobody learns which parameters there are.
    await decideMadeUp(context, principal, document.content, command.boundParameters)
    await checkParameterReferences(context, [command.documentContent, command.boundParameters])
    const targets =
      InstanceIds.length > 0
        ? await named(context, document, InstanceIds)
        : await found(context, document, principal, input)
    return { Command: describeCommand(await context.commands.send(command, targets)) }
  },
})

/** The bucket, and the role that is passed on (control-plane.md 34.1). */
async function settingsChecks(context: OperationContext, input: SendCommandInput): Promise<AccessCheck[]> {
  const { OutputS3BucketName: bucket, ServiceRoleArn: arn } = input
  const role = arn === undefined ? undefined : roleOf(context, arn)
  return [
    ...(bucket === undefined ? [] : [{ resource: `arn:${context.partition}:s3:::${bucket}` }]),
    ...(role === undefined ? [] : [await passRoleCheck(context, role, COMMAND_SERVICE)]),
  ]
}

function newCommand(
  input: SendCommandInput,
  document: ResolvedCommandDocument,
  settings: Json,
  requestedAt: number,
  { arn }: Person,
): NewCommand {
  const parameters = input.Parameters ?? {}
  const bound = bindParameters(document.content, parameters)
  checkSize(document, bound)
  return {
    commandId: randomUUID(),
    documentName: document.name,
    documentVersion: document.version,
    documentContent: document.content as Json,
    boundParameters: bound as Json,
    parameters: parameters as Json,
    instanceIds: [...(input.InstanceIds ?? [])],
    targets: (input.Targets ?? []) as Json[],
    comment: input.Comment ?? '',
    ownerArn: arn,
    requestedAt,
    timeoutSeconds: input.TimeoutSeconds ?? DEFAULT_TIMEOUT_S,
    executionMs: executionTimeoutMs(document.content, bound),
    maxConcurrency: input.MaxConcurrency ?? DEFAULT_CONCURRENCY,
    maxErrors: input.MaxErrors ?? DEFAULT_ERRORS,
    settings,
  }
}

async function named(
  context: OperationContext,
  document: ResolvedCommandDocument,
  nodeIds: readonly string[],
): Promise<CommandTarget[]> {
  const nodes = await registeredNodes(context, nodeIds)
  const unfit = nodes.filter(node => !runsOn(document, node))
  if (unfit.length === 0) return nodes.map(toTarget)
  const which = unfit.map(({ nodeId, platformType }) => `${nodeId} (${platformType})`).join(', ')
  throw new AwsError(
    'UnsupportedPlatformType',
    `Document ${document.name} runs on ${document.platforms.join(', ')}, not on ${which}.`,
  )
}

async function found(
  context: OperationContext,
  document: ResolvedCommandDocument,
  principal: Person,
  { Targets = [] }: SendCommandInput,
): Promise<CommandTarget[]> {
  const nodes = await targetedNodes(context, Targets)
  const targets = await decidedTargets(context, principal, nodes)
  const unfit = new Set(nodes.filter(node => !runsOn(document, node)).map(node => node.nodeId))
  return targets.map(target =>
    unfit.has(target.nodeId) ? { refused: 'InvalidPlatform', ...target } : target,
  )
}

/** Of a node whose agent never said what it runs on anything may be true. */
function runsOn({ platforms }: ResolvedCommandDocument, { platformType }: ManagedNode): boolean {
  return platformType === null || platforms.some(platform => platform === platformType)
}

function checkHash(document: ResolvedCommandDocument, input: SendCommandInput): void {
  const { DocumentHash: given, DocumentHashType: type = 'Sha256' } = input
  if (given === undefined) return
  const hash = type === 'Sha1' ? document.sha1 : document.hash
  if (given.toLowerCase() === hash) return
  throw new AwsError(
    'InvalidDocument',
    `The ${type} hash of document ${document.name}, version ${document.version}, is not the DocumentHash of the request: its content is another.`,
  )
}

function checkSize({ content }: ResolvedCommandDocument, bound: Readonly<Record<string, unknown>>): void {
  const size = Buffer.byteLength(JSON.stringify(JSON.stringify({ content, bound })))
  if (size <= MAXIMUM_JOB) return
  throw new AwsError(
    'InvalidParameters',
    `The document and its parameters have ${size} bytes together as nodes get them; ${MAXIMUM_JOB} is the most.`,
  )
}
