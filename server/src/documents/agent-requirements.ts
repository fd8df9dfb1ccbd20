import { AwsError } from '@sallyport/protocol/aws/error'
import { isVersion, isVersionSince, OWN_AGENT_NAME } from '@sallyport/protocol/versions'
import type { ManagedNode } from '../store/nodes.ts'
import type { ResolvedDocument } from './resolve.ts'

/** Which release of AWS's agent brought each session type (github.com/aws/amazon-ssm-agent, RELEASENOTES.md). */
const SINCE: Readonly<Record<string, string>> = {
  InteractiveCommands: '2.3.668.0',
  NonInteractiveCommands: '3.0.1124.0',
  Port: '2.3.672.0',
}
/** docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-sessions-start.html */
const REMOTE_HOST_SINCE = '3.1.1374.0'

/**
 * Throws `TargetNotConnected` if the node's agent cannot do what the document asks for. An agent that is too old for a
 * session type says so itself, so one whose version is not known is let try; but it would silently connect to another
 * host than the wanted one, or to any, and must be known to be able.
 */
export function checkAgent({ name, content }: ResolvedDocument, node: ManagedNode): void {
  const version = node.agentVersion ?? ''
  const { host, allowedDestinations } = portProperties(content.sessionType, content.properties)
  if (allowedDestinations !== undefined && node.agentName !== OWN_AGENT_NAME) {
    throw unable(
      node,
      `document ${name} restricts where connections go (properties.allowedDestinations), which only ${OWN_AGENT_NAME} obeys. Install it on the node, or use a document without the restriction.`,
    )
  }
  if (host !== undefined && host !== '' && !isVersionSince(version, REMOTE_HOST_SINCE)) {
    throw unable(
      node,
      `document ${name} forwards to a remote host, which needs version ${REMOTE_HOST_SINCE} or later. Update the agent on the node.`,
    )
  }
  const since = Object.hasOwn(SINCE, content.sessionType) ? SINCE[content.sessionType] : undefined
  if (since === undefined || !isVersion(version) || isVersionSince(version, since)) return
  throw unable(
    node,
    `document ${name} starts sessions of type ${content.sessionType}, which need version ${since} or later. Update the agent on the node.`,
  )
}

function portProperties(
  sessionType: string,
  properties: unknown,
): { host?: unknown; allowedDestinations?: unknown } {
  if (sessionType !== 'Port' || typeof properties !== 'object' || properties === null) return {}
  return properties
}

function unable({ nodeId, agentName, agentVersion }: ManagedNode, reason: string): AwsError {
  // Both are the node's own words, and the message goes to a terminal.
  const name = agentName !== null && /^[\w.-]{1,64}$/.test(agentName) ? agentName : 'an agent'
  const version = isVersion(agentVersion ?? '') ? `version ${agentVersion}` : 'of an unknown version'
  return new AwsError('TargetNotConnected', `${nodeId} runs ${name} ${version}, but ${reason}`)
}
