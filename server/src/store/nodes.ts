import type { Kysely } from 'kysely'
import { applyNodeFilters, type NodeFilters } from './node-filters.ts'
import { type Page, type PageRequest, rowsToRead, startAfter, toPage } from './pages.ts'
import type { NodeRow, Schema, Scope } from './schema.ts'

export type ManagedNode = Omit<NodeRow, 'connected'> & { connected: boolean }

export type NewNode = Pick<NodeRow, 'nodeId' | 'kind' | 'publicKey' | 'fingerprint' | 'registeredAt'> &
  Partial<Pick<NodeRow, 'activationId' | 'iamRole' | 'roleId' | 'name'>>

/** What an agent says of itself. Members that it did not send stay as they were. */
export type NodeInformation = Partial<
  Pick<
    NodeRow,
    | 'agentName'
    | 'agentVersion'
    | 'platformType'
    | 'platformName'
    | 'platformVersion'
    | 'computerName'
    | 'ipAddress'
    | 'connectionChannel'
  >
>

/** What decides which role a node has. */
export type RoleHolder = Pick<NodeRow, 'nodeId' | 'kind' | 'iamRole'>

/** Of the many at once that a query may name. */
const IDS_AT_ONCE = 500
/** For people who look at it; with every request of every node it would be a write each. */
const SEEN_INTERVAL_MS = 60_000

const neverSeen = {
  activationId: null,
  iamRole: null,
  roleId: null,
  name: null,
  deregisteredAt: null,
  agentName: null,
  agentVersion: null,
  platformType: null,
  platformName: null,
  platformVersion: null,
  computerName: null,
  ipAddress: null,
  connectionChannel: null,
  lastPingAt: null,
  connected: 0,
  connectionEpoch: 0,
  connectionServer: null,
  connectedAt: null,
  disconnectedAt: null,
  lastSeenAt: null,
}

export function nodesIn(db: Kysely<Schema>) {
  const rows = (scope: Scope) =>
    db
      .selectFrom('nodes')
      .selectAll()
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)

  const update = async (scope: Scope, nodeId: string, changes: Partial<NodeRow>): Promise<boolean> => {
    const { numUpdatedRows } = await db
      .updateTable('nodes')
      .set(changes)
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)
      .where('nodeId', '=', nodeId)
      .where('deregisteredAt', 'is', null)
      .executeTakeFirst()
    return numUpdatedRows > 0n
  }

  return {
    async insert(scope: Scope, node: NewNode): Promise<ManagedNode> {
      const { accountId, region } = scope
      const row: NodeRow = { ...neverSeen, ...node, accountId, region }
      await db.insertInto('nodes').values(row).execute()
      return toNode(row)
    },

    /** Deregistered nodes are found too: `deregisteredAt` is then set. */
    async get(scope: Scope, nodeId: string): Promise<ManagedNode | undefined> {
      const row = await rows(scope).where('nodeId', '=', nodeId).executeTakeFirst()
      return row && toNode(row)
    },

    /** By node id; without the deregistered ones unless the filters ask for them. */
    async list(scope: Scope, page: PageRequest, filters: NodeFilters = {}): Promise<Page<ManagedNode>> {
      const after = startAfter('nodes', page, ['string'])
      let query = applyNodeFilters(rows(scope), filters)
      if (after) query = query.where('nodeId', '>', after[0])
      const found = await query.orderBy('nodeId').limit(rowsToRead(page)).execute()
      return toPage('nodes', page, found.map(toNode), last => [last.nodeId])
    },

    /** Records a ping at `now`, with whatever it said. False when there is no such registered node. */
    updateInformation(
      scope: Scope,
      nodeId: string,
      information: NodeInformation,
      now: number,
    ): Promise<boolean> {
      return update(scope, nodeId, { ...information, lastPingAt: now })
    },

    /** Of registered nodes: in any order, without those that are not there. */
    async roleHolders(scope: Scope, nodeIds: readonly string[]): Promise<RoleHolder[]> {
      const found: RoleHolder[] = []
      for (let at = 0; at < nodeIds.length; at += IDS_AT_ONCE) {
        const some = await db
          .selectFrom('nodes')
          .select(['nodeId', 'kind', 'iamRole'])
          .where('accountId', '=', scope.accountId)
          .where('region', '=', scope.region)
          .where('nodeId', 'in', nodeIds.slice(at, at + IDS_AT_ONCE))
          .where('deregisteredAt', 'is', null)
          .execute()
        found.push(...some)
      }
      return found
    },

    /** Its agent proved its key at `now`; kept to the minute. */
    async seen(scope: Scope, node: Pick<NodeRow, 'nodeId' | 'lastSeenAt'>, now: number): Promise<void> {
      const { nodeId, lastSeenAt } = node
      if (lastSeenAt !== null && Math.abs(now - lastSeenAt) < SEEN_INTERVAL_MS) return
      await update(scope, nodeId, { lastSeenAt: now })
    },

    updateRole(scope: Scope, nodeId: string, iamRole: string): Promise<boolean> {
      return update(scope, nodeId, { iamRole })
    },

    updatePublicKey(scope: Scope, nodeId: string, publicKey: string): Promise<boolean> {
      return update(scope, nodeId, { publicKey })
    },

    updateName(scope: Scope, nodeId: string, name: string | null): Promise<boolean> {
      return update(scope, nodeId, { name })
    },

    /** The row stays, so that the history keeps its node. False when it was deregistered before. */
    deregister(scope: Scope, nodeId: string, now: number): Promise<boolean> {
      return update(scope, nodeId, { deregisteredAt: now, connected: 0, disconnectedAt: now })
    },
  }
}

function toNode(row: NodeRow): ManagedNode {
  return { ...row, connected: row.connected === 1 }
}
