import { NODE_ACTIONS } from '@sallyport/protocol/api/ssm-agent'
import { clockFinding, type Finding } from '@sallyport/protocol/checklist'
import { ConnectionError, createRequester, type Requester } from '@sallyport/protocol/transport/node-http'
import { ApiFailure } from './api-failure.ts'
import type { AgentConfig } from './config.ts'
import { RoleCredentials } from './role-credentials.ts'
import { loadRegistration, type Registration } from './state.ts'

const TIMEOUT = 10_000
const NODE_POLICY = 'AmazonSSMManagedInstanceCore'

/**
 * Looks at everything that a node needs to be online, in the order in which it needs it. What is of no use without what
 * was found missing is left out.
 */
export async function* examineNode(
  config: AgentConfig,
  running: () => Promise<{ online: boolean; pid: number } | undefined>,
): AsyncGenerator<Finding> {
  const registration = await registered(config)
  if ('ok' in registration) return yield registration
  const { instanceId, region } = registration
  yield { ok: true, what: `this machine is registered as ${instanceId} (region ${region})` }
  const endpoint = new URL(registration.endpoint)
  const request = createRequester(endpoint, { ca: registration.ca, env: config.env })
  const { findings, date } = await reach(endpoint, request)
  yield* findings
  if (date === undefined) return
  yield clockFinding(date, Date.now())
  yield* examineRole(registration, request)
  const status = await running()
  yield {
    ok: status?.online === true,
    what:
      status === undefined
        ? 'the agent does not run'
        : `the agent runs (process ${status.pid})${status.online ? ' and is online' : ', but is not online'}`,
    advice:
      status === undefined
        ? 'Start it: `sallyport agent run`, or as a service `sudo sallyport agent install`.'
        : 'Once nothing else is wrong here it is online within seconds. Its log has more.',
  }
}

async function registered(config: AgentConfig): Promise<Registration | Finding> {
  const what = `this machine is not registered (nothing in ${config.stateDirectory})`
  const advice = 'Register it: run the command that `sallyport activations create` prints.'
  try {
    return (await loadRegistration(config.stateDirectory)) ?? { ok: false, what, advice }
  } catch (error) {
    return { ok: false, what: (error as Error).message }
  }
}

async function reach(
  { origin, host, protocol }: URL,
  request: Requester,
): Promise<{ findings: Finding[]; date: string | undefined }> {
  const options = { method: 'GET', path: '/healthz', headers: [['host', host]] as const }
  try {
    const { status, headers } = await request({ ...options, body: new Uint8Array(0), timeoutMs: TIMEOUT })
    const findings = [{ ok: true, what: `the server answers at ${origin}` }]
    if (protocol === 'https:') findings.push({ ok: true, what: 'its certificate is trusted' })
    if (status === 200) return { findings, date: headers.date ?? '' }
    const advice = 'Is it a Sallyport server, or does a proxy answer in its place?'
    return { findings: [{ ok: false, what: `${origin} answers ${status}`, advice }], date: undefined }
  } catch (error) {
    const untrusted = error instanceof ConnectionError && error.code === 'ConnectionUntrusted'
    const finding = untrusted
      ? {
          ok: false,
          what: (error as Error).message.split('\n')[0] ?? '',
          advice: 'Has the server a new CA? Register again with --force and its --ca-hash.',
        }
      : {
          ok: false,
          what: (error as Error).message,
          advice: 'Does the server run, and does the network let this machine there?',
        }
    return { findings: [finding], date: undefined }
  }
}

async function* examineRole(registration: Registration, request: Requester): AsyncGenerator<Finding> {
  let lack: Awaited<ReturnType<RoleCredentials['lack']>>
  try {
    lack = await new RoleCredentials(registration, request).lack()
  } catch (error) {
    const advice = 'Register this machine again: `sallyport agent register --force …`.'
    const known = error instanceof ApiFailure
    return yield { ok: false, what: (error as Error).message, ...(known && { advice }) }
  }
  yield { ok: true, what: 'the server knows the key of this node' }
  if (lack !== undefined && lack.actions.length === 0) return yield { ok: false, what: lack.why }
  yield { ok: true, what: 'the node has a role' }
  for (const action of NODE_ACTIONS) {
    const lacking = lack?.actions.includes(action) === true
    const what = lacking ? `its role does not allow ${action}` : `its role allows ${action}`
    yield { ok: !lacking, what, advice: `Attach ${NODE_POLICY} to the role, unless something denies it.` }
  }
}
