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

    updateRole(
      scope: Scope,
      nodeId: string,
      role: { iamRole: string; roleId: string | null },
    ): Promise<boolean> {
      return update(scope, nodeId, role)
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
