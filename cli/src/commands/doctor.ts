import { clockFinding, type Finding, formatFinding } from '@sallyport/protocol/checklist'
import { createRequester } from '@sallyport/protocol/transport/node-http'
import type { ApiClient } from '../client.ts'
import type { CommandContext, Connection } from '../context.ts'
import { EXIT } from '../errors.ts'
import { inertLines } from '../inert.ts'
import { listNodes, type ManagedNode, resolveNode } from '../nodes.ts'
import type { SettingsOptions } from '../settings.ts'
import { formatAge } from '../table.ts'

const TIMEOUT_MS = 10_000
const NOT_CONNECTED = 'TargetNotConnected'
const ON_THE_NODE = 'On the node: sallyport agent doctor'
const ANOTHER_KEY =
  'Is it the key of this server? Whoever administers it makes another one: aws iam create-access-key'
const FIRST_NODE = 'there are none yet. What `sallyport activations create` prints makes a machine one'

/** What came of an attempt: a value, or what its error says. */
type Attempt<T> =
  | { value: T; failed?: undefined }
  | { value?: undefined; failed: Finding & { code?: string } }

/** `sallyport doctor [node]`: whatever keeps the caller from a shell on a node, from this machine on. */
export const doctor = async (
  node: string | undefined,
  options: SettingsOptions,
  context: CommandContext,
): Promise<number> => {
  let healthy = true
  for await (const finding of examine(node, options, context)) {
    healthy &&= finding.ok
    context.out(inertLines(formatFinding(finding)))
  }
  return healthy ? EXIT.ok : EXIT.failure
}

async function* examine(
  wanted: string | undefined,
  options: SettingsOptions,
  context: CommandContext,
): AsyncGenerator<Finding> {
  const connected = await attempt(() => context.connect(options))
  if (connected.failed) return yield connected.failed
  const { endpoint, region, client } = connected.value
  yield { ok: true, what: `the server is ${endpoint.origin}, in region ${region}` }
  if (!(yield* reach(connected.value, context))) return
  const caller = await attempt(() => client.call('sts', 'GetCallerIdentity', {}))
  if (caller.failed) {
    const unknown = caller.failed.code === 'InvalidClientTokenId'
    return yield unknown ? { advice: ANOTHER_KEY, ...caller.failed } : caller.failed
  }
  const arn = String((caller.value as { Arn?: string }).Arn)
  yield { ok: true, what: `you are ${arn}` }
  const listed = await attempt(() => listNodes(client))
  yield listed.failed ?? nodesFinding(listed.value.items.length)
  if (wanted !== undefined) yield* examineNode({ client, arn }, wanted, context)
}

const nodesFinding = (count: number): Finding => ({
  ok: true,
  what: `you can list the nodes: ${count === 0 ? FIRST_NODE : `there are ${count}`}`,
})

/** Who asks, and how. */
type Caller = { client: ApiClient; arn: string }

const attempt = async <T>(action: () => Promise<T>): Promise<Attempt<T>> => {
  try {
    return { value: await action() }
  } catch (error) {
    const { code, message = '' } = Object(error) as { code?: string; message?: string }
    const [first = '', ...advice] = message.split('\n')
    const what = code === undefined || code.startsWith('Connection') ? first : `${first} (${code})`
    const more = {
      ...(code !== undefined && { code }),
      ...(advice.length > 0 && { advice: advice.join('\n') }),
    }
    return { failed: { ok: false, what, ...more } }
  }
}

/** Whether there is a server to ask anything else. */
async function* reach(
  { endpoint, ca }: Connection,
  { env, now }: CommandContext,
): AsyncGenerator<Finding, boolean> {
  const request = createRequester(endpoint, { ca, env })
  const asked = { method: 'GET', path: '/healthz', headers: [['host', endpoint.host]] as const }
  const answer = await attempt(() => request({ ...asked, body: new Uint8Array(0), timeoutMs: TIMEOUT_MS }))
  if (answer.failed) {
    yield answer.failed
    return false
  }
  const { status, headers } = answer.value
  if (status !== 200) {
    const advice = 'Is it a Sallyport server, or does a proxy answer in its place?'
    yield { ok: false, what: `it answers ${status}`, advice }
    return false
  }
  yield { ok: true, what: 'it answers' }
  if (endpoint.protocol === 'https:') yield { ok: true, what: 'its certificate is trusted' }
  yield clockFinding(headers.date, now())
  return true
}

async function* examineNode(
  caller: Caller,
  wanted: string,
  context: CommandContext,
): AsyncGenerator<Finding> {
  const { client } = caller
  const id = await attempt(() => resolveNode(client, wanted))
  if (id.failed) return yield id.failed
  const found = await attempt(() => listNodes(client, [{ Key: 'InstanceIds', Values: [id.value] }]))
  // Whoever may not list nodes was told so, and may still be allowed a shell on this one.
  const [node] = found.value?.items ?? []
  if (found.value !== undefined && node === undefined) {
    const advice =
      'All that are: sallyport nodes. A new machine registers with what `sallyport activations create` prints.'
    return yield { ok: false, what: `no node ${id.value} is registered`, advice }
  }
  if (node !== undefined) {
    yield { ok: true, what: `${id.value} is registered${names(node)}` }
    yield agentFinding(node, context.now())
  }
  yield* examineShell(caller, id.value)
}

const names = ({ Name, ComputerName }: ManagedNode): string => {
  const known = [Name, ComputerName].filter(Boolean)
  return known.length === 0 ? '' : ` (${known.join(', ')})`
}

const agentFinding = ({ AgentVersion, LastPingDateTime }: ManagedNode, now: number): Finding => {
  const heard = formatAge(LastPingDateTime, now / 1000)
  return AgentVersion === undefined
    ? { ok: false, what: 'its agent has not reported itself yet', advice: ON_THE_NODE }
    : { ok: true, what: `its agent is version ${AgentVersion}; it last reported itself ${heard} ago` }
}

/** There is one way to know whether a shell can be opened: to open one. It is ended before anything is typed. */
async function* examineShell({ client, arn }: Caller, id: string): AsyncGenerator<Finding> {
  const status = await attempt(() => client.call('ssm', 'GetConnectionStatus', { Target: id }))
  const online = (status.value as { Status?: string } | undefined)?.Status === 'connected'
  if (status.failed) yield status.failed
  else if (online) yield { ok: true, what: 'it is online' }
  const begun = await attempt(() =>
    client.call('ssm', 'StartSession', { Target: id, Reason: 'sallyport doctor' }),
  )
  if (begun.failed) {
    const { code } = begun.failed
    // Why it is not online, StartSession says; unless it refuses for another reason.
    if (!online && !status.failed && code !== NOT_CONNECTED) yield { ok: false, what: 'it is not online' }
    return yield { advice: adviceAbout(code, arn, id), ...begun.failed }
  }
  yield { ok: true, what: 'you may open a shell on it' }
  const { SessionId } = begun.value as { SessionId?: string }
  const ended = await attempt(() => client.call('ssm', 'TerminateSession', { SessionId }))
  if (ended.failed) yield ended.failed
}

const adviceAbout = (code: string | undefined, arn: string, id: string): string | undefined => {
  if (code === NOT_CONNECTED) return ON_THE_NODE
  if (code !== 'AccessDeniedException') return undefined
  return `Which policies decide that, an administrator sees with: sallyport policy why ${arn} ssm:StartSession ${id}`
}
