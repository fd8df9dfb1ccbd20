import type { StartedSession } from './attach.ts'
import type { ApiClient } from './client.ts'
import { CliError } from './errors.ts'

export type SessionRequest = {
  Target: string
  DocumentName?: string
  Reason?: string
  Parameters?: Record<string, string[]>
}

/** StartSession; rejects with the server's refusal. */
export const startSession = async (client: ApiClient, input: SessionRequest): Promise<StartedSession> => {
  const answer = (await client.call('ssm', 'StartSession', input)) as Record<string, unknown>
  const { SessionId: sessionId, TokenValue: tokenValue, StreamUrl: streamUrl } = answer
  if (typeof sessionId !== 'string' || typeof tokenValue !== 'string' || typeof streamUrl !== 'string') {
    throw new CliError('The server started a session without saying its id, token and address.')
  }
  return { sessionId, tokenValue, streamUrl }
}
