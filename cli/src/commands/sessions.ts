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
}

/** History goes back 30 days; who needs more of it than this wants `--json` of the API. */
const MAX_SESSIONS = 1000
const PAGE = 200

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
    context.out(await formatTable(HEAD, rows))
  }
  if (truncated) context.err(`Only the first ${items.length} sessions are shown.\n`)
  return EXIT.ok
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

/** `sallyport sessions end`: ends each; fails at the end if any could not be ended. */
export const endSessions = async (
  ids: readonly string[],
  options: SettingsOptions,
  context: CommandContext,
): Promise<number> => {
  const { client } = await context.connect(options)
  let failed = 0
  for (const id of ids) {
    try {
      await client.call('ssm', 'TerminateSession', { SessionId: id })
      context.err(`Ended ${inert(id)}\n`)
    } catch (error) {
      failed += 1
      context.err(`Could not end ${inert(id)}: ${inertLines((error as Error).message)}\n`)
    }
  }
  return failed === 0 ? EXIT.ok : EXIT.failure
}
