import type { Kysely, Transaction } from 'kysely'
import { commandRemovalIn } from './command-removal.ts'
import type { CommandRow, InvocationRow, Schema, Scope, StepResultRow } from './schema.ts'

export const stateColumns = [
  'commandId',
  'requestedAt',
  'timeoutSeconds',
  'executionMs',
  'concurrencyLimit',
  'errorLimit',
  'settings',
  'status',
  'details',
  'targetCount',
  'waitingCount',
  'activeCount',
  'completedCount',
  'successCount',
  'errorCount',
  'deliveryTimedOutCount',
  'cancelledCount',
  'cancelRequestedAt',
  'endedAt',
  'revision',
] as const

/** What of a command decides how it goes on. */
export type CommandState = Pick<CommandRow, (typeof stateColumns)[number]>

const movingColumns = [
  'status',
  'details',
  'owed',
  'notBefore',
  'refusals',
  'releasedAt',
  'sentAt',
  'acceptedAt',
  'endedAt',
  'deadline',
  'traceOutput',
  'revision',
] as const

const stepColumns = [
  'status',
  'code',
  'output',
  'standardOutput',
  'standardError',
  'startedAt',
  'endedAt',
] as const
/** A step that is restarting its node is run again. */
const finalSteps = ['Success', 'Failed', 'Cancelled', 'TimedOut', 'Skipped']

/** Rows of one statement: SQLite binds at most 32,766 values. */
const ROWS_AT_ONCE = 100

/** Writing commands and invocations. There is one writer: the commands of this server. */
export function commandChangesIn(db: Kysely<Schema>) {
  return {
    ...commandRemovalIn(db),

    /** All of what `work` does is stored, or nothing. Who only reads need not wait for it: a batch may take long. */
    change<T>(scope: Scope, work: (changes: CommandChanges) => Promise<T>): Promise<T> {
      return db
        .transaction()
        .setIsolationLevel('read committed')
        .execute(transaction => work(new CommandChanges(transaction, scope)))
    },

    /**
     * A command with its invocations. Many are written in several steps, the command last: until then nobody sees
     * them, and `ROWS_AT_ONCE` are the most that others have to wait for.
     */
    async insert(command: CommandRow, invocations: readonly InvocationRow[]): Promise<void> {
      const last = Math.floor(Math.max(0, invocations.length - 1) / ROWS_AT_ONCE) * ROWS_AT_ONCE
      for (let from = 0; from < last; from += ROWS_AT_ONCE) {
        await db
          .insertInto('invocations')
          .values(invocations.slice(from, from + ROWS_AT_ONCE))
          .execute()
      }
      await db.transaction().execute(async transaction => {
        const rest = invocations.slice(last)
        if (rest.length > 0) await transaction.insertInto('invocations').values(rest).execute()
        await transaction.insertInto('commands').values(command).execute()
      })
    },

    /** When the server itself has to act next (epoch milliseconds). */
    async nextDeadline(scope: Scope): Promise<number | undefined> {
      const row = await db
        .selectFrom('invocations')
        .select('deadline')
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .where('deadline', 'is not', null)
        .orderBy('deadline')
        .limit(1)
        .executeTakeFirst()
      return row?.deadline ?? undefined
    },

    /** Commands of which something may be under way. Every invocation that has not ended has a deadline. */
    async unfinished(scope: Scope): Promise<string[]> {
      const rows = await db
        .selectFrom('invocations')
        .select('commandId')
        .distinct()
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .where('deadline', 'is not', null)
        .execute()
      return rows.map(row => row.commandId)
    },

    /** Nodes that were deregistered with something of commands under way; of one command, if it is said of which. */
    async departed({ accountId, region }: Scope, commandId?: string): Promise<string[]> {
      const query = nodesConcerned(db, { accountId, region }).where('nodes.deregisteredAt', 'is not', null)
      // A range of deadlines would have SQLite go through those of all commands to look at one.
      const some =
        commandId === undefined
          ? query.where('invocations.deadline', '>', 0)
          : query.where('invocations.commandId', '=', commandId).where('invocations.endedAt', 'is', null)
      return (await some.execute()).map(({ nodeId }) => nodeId)
    },

    /** Connected nodes that are owed something now, whether they were told of it or not. */
    async owing({ accountId, region }: Scope, now: number): Promise<string[]> {
      const rows = await nodesConcerned(db, { accountId, region })
        .where('invocations.deadline', '>', 0)
        .where('nodes.connected', '=', 1)
        .where('invocations.owed', 'is not', null)
        .where(eb => eb.or([eb('invocations.notBefore', 'is', null), eb('invocations.notBefore', '<=', now)]))
        .execute()
      return rows.map(({ nodeId }) => nodeId)
    },
  }
}

/** Each node once that has to do with commands. Nothing is under way or owed without a deadline. */
function nodesConcerned(db: Kysely<Schema>, { accountId, region }: Scope) {
  return db
    .selectFrom('invocations')
    .innerJoin('nodes', join =>
      join
        .onRef('nodes.accountId', '=', 'invocations.accountId')
        .onRef('nodes.region', '=', 'invocations.region')
        .onRef('nodes.nodeId', '=', 'invocations.nodeId'),
    )
    .select('invocations.nodeId')
    .distinct()
    .where('invocations.accountId', '=', accountId)
    .where('invocations.region', '=', region)
}

/** Reading and writing within one transaction. */
export class CommandChanges {
  readonly #db: Transaction<Schema>
  readonly #scope: Scope

  constructor(transaction: Transaction<Schema>, scope: Scope) {
    this.#db = transaction
    this.#scope = scope
  }

  async commands(commandIds: readonly string[]): Promise<CommandState[]> {
    if (commandIds.length === 0) return []
    return await this.#db
      .selectFrom('commands')
      .select(stateColumns)
      .where('accountId', '=', this.#scope.accountId)
      .where('region', '=', this.#scope.region)
      .where('commandId', 'in', commandIds)
      .execute()
  }

  /** By command: the nodes. */
  async invocations(named: ReadonlyMap<string, ReadonlySet<string>>): Promise<InvocationRow[]> {
    const { accountId, region } = this.#scope
    const found: InvocationRow[] = []
    for (const [commandId, nodeIds] of named) {
      const rows = await this.#db
        .selectFrom('invocations')
        .selectAll()
        .where('accountId', '=', accountId)
        .where('region', '=', region)
        .where('commandId', '=', commandId)
        .where('nodeId', 'in', [...nodeIds])
        .execute()
      found.push(...rows)
    }
    return found
  }

  /** The next that the window would let go. */
  waiting(commandId: string, limit: number): Promise<InvocationRow[]> {
    return this.#ofCommand(commandId)
      .where('releasedAt', 'is', null)
      .where('endedAt', 'is', null)
      .orderBy('position')
      .limit(limit)
      .execute()
  }

  /** Those let go that nobody was told to cancel. */
  uncancelled(commandId: string, limit: number): Promise<InvocationRow[]> {
    return this.#ofCommand(commandId)
      .where('releasedAt', 'is not', null)
      .where('endedAt', 'is', null)
      .where('status', '!=', 'Cancelling')
      .orderBy('releasedAt')
      .orderBy('position')
      .limit(limit)
      .execute()
  }

  /** What a node has to do with commands, also with those that ended and of which it is to be told. */
  ofNode(nodeId: string, limit: number): Promise<InvocationRow[]> {
    return this.#rows()
      .where('nodeId', '=', nodeId)
      .where('deadline', 'is not', null)
      .orderBy('commandId')
      .limit(limit)
      .execute()
  }

  due(now: number, limit: number): Promise<InvocationRow[]> {
    return this.#rows().where('deadline', '<=', now).orderBy('deadline').limit(limit).execute()
  }

  async saveInvocations(rows: readonly InvocationRow[]): Promise<void> {
    for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
      await this.#db
        .insertInto('invocations')
        .values(rows.slice(from, from + ROWS_AT_ONCE))
        .onConflict(conflict =>
          conflict
            .columns(['accountId', 'region', 'commandId', 'nodeId'])
            .doUpdateSet(eb =>
              Object.fromEntries(movingColumns.map(column => [column, eb.ref(`excluded.${column}`)])),
            ),
        )
        .execute()
    }
  }

  /** A step that has ended stays as it is. */
  async saveSteps(rows: readonly StepResultRow[]): Promise<void> {
    for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
      await this.#db
        .insertInto('stepResults')
        .values(rows.slice(from, from + ROWS_AT_ONCE))
        .onConflict(conflict =>
          conflict
            .columns(['accountId', 'region', 'commandId', 'nodeId', 'stepName'])
            .doUpdateSet(eb =>
              Object.fromEntries(stepColumns.map(column => [column, eb.ref(`excluded.${column}`)])),
            )
            .where('stepResults.status', 'not in', finalSteps),
        )
        .execute()
    }
  }

  async saveCommand({ commandId, ...state }: CommandState): Promise<void> {
    await this.#db
      .updateTable('commands')
      .set(state)
      .where('accountId', '=', this.#scope.accountId)
      .where('region', '=', this.#scope.region)
      .where('commandId', '=', commandId)
      .execute()
  }

  #rows() {
    return this.#db
      .selectFrom('invocations')
      .selectAll()
      .where('accountId', '=', this.#scope.accountId)
      .where('region', '=', this.#scope.region)
  }

  #ofCommand(commandId: string) {
    return this.#rows().where('commandId', '=', commandId)
  }
}
