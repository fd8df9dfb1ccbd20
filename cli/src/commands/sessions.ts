import type { ApiClient } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../errors.ts'
import { inert, inertJson, inertLines } from '../inert.ts'
import { listAll } from '../pages.ts'
import type { SettingsOptions } from '../settings.ts'
import { formatAge, formatTable } from '../table.ts'

export type SessionsOptions = SettingsOptions & { history?: boolean; mine?: boolean; json?: boolean }

type SessionRow = {
  SessionId: string
  Target?: string
  Status?: string
  Owner?: string
  DocumentName?: string
  Reason?: string
  /** Seconds since 1970. */
  StartDate?: number
  EndDate?: number
  Details?: string
}

/** History goes back 30 days; who needs more of it than this wants `--json` of the API. */
const MAX_SESSIONS = 1000
const PAGE = 200

/** How an id ends; so much of that may go where there is no room: the rest tells it from all others that run. */
const WHOLE_ID = /-[a-z2-7]{32}$/
const DISPENSABLE = 23
const ELLIPSIS = '…'
/** Nobody means a session by less. */
const LEAST_BEGINNING = 8

const HEAD = ['SESSION', 'NODE', 'STATUS', 'OWNER', 'DOCUMENT', 'STARTED', 'REASON']

/** `sallyport sessions`: the running sessions, or with `history` the ended ones. */
export const sessions = async (options: SessionsOptions, context: CommandContext): Promise<number> => {
  const { client } = await context.connect(options)
  const filters: Array<{ key: string; value: string }> = []
  if (options.mine) {
    const { Arn } = (await client.call('sts', 'GetCallerIdentity', {})) as { Arn?: string }
    filters.push({ key: 'Owner', value: String(Arn) })
  }
  const input = {
    State: options.history ? 'History' : 'Active',
    MaxResults: PAGE,
    ...(filters.length > 0 ? { Filters: filters } : {}),
  }
  const { items, truncated } = await listAll<SessionRow>(
    client,
    'DescribeSessions',
    input,
    'Sessions',
    MAX_SESSIONS,
  )
  if (options.json) {
    context.out(`${inertJson(items)}\n`)
  } else if (items.length === 0) {
    context.err(options.history ? 'No sessions have ended.\n' : 'No sessions are running.\n')
  } else {
    const now = context.now() / 1000
    const rows = items.map(item => row(item, now))
    context.out(await formatTable(HEAD, rows, fitting(context.columns, items)))
  }
  if (truncated) context.err(`Only the first ${items.length} sessions are shown.\n`)
  return EXIT.ok
}

/** On a terminal, where lines would wrap. The beginning of an id is enough to name a node or a running session by. */
const fitting = (columns: number | undefined, items: readonly SessionRow[]) => {
  if (columns === undefined) return undefined
  const longest = Math.max(...items.map(({ SessionId }) => SessionId.length))
  const shortened = [
    { column: 1, least: 12 },
    { column: 4, least: 16, middle: true },
    { column: 0, least: longest - DISPENSABLE },
    { column: 6, least: 12 },
    { column: 3, least: 12 },
  ]
  return { columns, shortened }
}

const row = (session: SessionRow, now: number) => [
  session.SessionId,
  session.Target,
  session.Status,
  // The part of the ARN that tells people apart: `user/alice`, `assumed-role/admin/alice`.
  session.Owner?.replace(/^arn:[^:]*:[^:]*:[^:]*:[^:]*:/, ''),
  session.DocumentName || '',
  formatAge(session.StartDate, now),
  session.Reason,
]

/**
 * `sallyport sessions end`: ends each; fails at the end if any could not be ended. The server takes the end of a session
 * that has ended for done, so it is asked first.
 */
export const endSessions = async (
  ids: readonly string[],
  options: SettingsOptions,
  context: CommandContext,
): Promise<number> => {
  const { client } = await context.connect(options)
  let failed = 0
  for (const given of ids) {
    let id = given
    try {
      id = await wholeId(client, given)
      const ended = await endOf(client, id)
      await client.call('ssm', 'TerminateSession', { SessionId: id })
      context.err(ended === undefined ? `Ended ${inert(id)}\n` : alreadyEnded(ended, context.now() / 1000))
    } catch (error) {
      failed += 1
      context.err(`Could not end ${inert(id)}: ${inertLines((error as Error).message)}\n`)
    }
  }
  return failed === 0 ? EXIT.ok : EXIT.failure
}

/** Of a single running session that begins so; else what was given, of which the server then says what it is. */
const wholeId = async (client: ApiClient, given: string): Promise<string> => {
  const beginning = given.replace(ELLIPSIS, '')
  if (WHOLE_ID.test(beginning) || beginning.length < LEAST_BEGINNING) return beginning
  const input = { State: 'Active', MaxResults: PAGE }
  const { items } = await listAll<SessionRow>(client, 'DescribeSessions', input, 'Sessions', MAX_SESSIONS)
  const [only, ...others] = items.filter(({ SessionId }) => SessionId.startsWith(beginning))
  return only === undefined || others.length > 0 ? beginning : only.SessionId
}

/** Undefined too for who may not list sessions: who may end one can do so all the same. */
const endOf = async (client: ApiClient, id: string): Promise<SessionRow | undefined> => {
  const input = { State: 'History', Filters: [{ key: 'SessionId', value: id }] }
  try {
    const answer = (await client.call('ssm', 'DescribeSessions', input)) as { Sessions?: SessionRow[] }
    return answer.Sessions?.[0]
  } catch {
    return undefined
  }
}

const alreadyEnded = ({ SessionId, EndDate, Details }: SessionRow, now: number): string => {
  const how = Details ? `: ${inertLines(Details)}` : ''
  return `${inert(SessionId)} had ended already, ${formatAge(EndDate, now)} ago${how}\n`
}
