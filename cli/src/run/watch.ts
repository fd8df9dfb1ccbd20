import type { WatchCommandOutput } from '@sallyport/protocol/api/ssm-commands'
import { reconnectDelay } from '@sallyport/protocol/reconnect'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import type { ApiClient, ApiError } from '../client.ts'
import { isEnded } from './invocations.ts'

/** Below the time after which the client gives an answer up. */
export const WAIT_SECONDS = 10
const PAGE = 1000
const BACKOFF = { initial: 500, cap: 10_000 }
/** As long as a session is dialled again. */
const PATIENCE_MS = 30 * 60_000

export type Persistence = {
  now: () => number
  wait: (ms: number) => Promise<void>
  /** True once calls fail for want of the server, false once one succeeds again. */
  onLost: (lost: boolean) => void
}

/** Calls again while the server cannot be reached or has a fault: the command goes on meanwhile. */
export const persist = async <T>(call: () => Promise<T>, { now, wait, onLost }: Persistence): Promise<T> => {
  const begun = now()
  for (let tries = 0; ; tries++) {
    try {
      const answer = await call()
      if (tries > 0) onLost(false)
      return answer
    } catch (error) {
      if (!mayPass(error) || now() - begun > PATIENCE_MS) throw error
      onLost(true)
      await wait(reconnectDelay(nodeCrypto, BACKOFF, tries))
    }
  }
}

const mayPass = (error: unknown): boolean => {
  const { name, code, status } = Object(error) as Partial<ApiError>
  if (name !== 'ApiError') return false
  if (code === 'ConnectionUntrusted') return false
  return status === 0 || Number(status) >= 500 || /Throttling|RequestLimit|TooManyRequests/.test(String(code))
}

/** Tells of a command until each of its invocations has ended, and of the end. */
export async function* watchCommand(
  client: ApiClient,
  commandId: string,
  persistence: Persistence,
): AsyncGenerator<WatchCommandOutput> {
  let revision = 0
  let wait = 0
  while (true) {
    const input = { CommandId: commandId, AfterRevision: revision, WaitSeconds: wait, MaxResults: PAGE }
    const answer = (await persist(
      () => client.call('ssm', 'WatchCommand', input),
      persistence,
    )) as WatchCommandOutput
    yield answer
    if (!answer.More && isEnded(answer.Command) && answer.Counts.every(isEnded)) return
    revision = answer.Revision
    wait = answer.More ? 0 : WAIT_SECONDS
  }
}
