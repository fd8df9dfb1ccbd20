import type { Kysely } from 'kysely'
import { type Activation, activationsIn, type Claim } from './activations.ts'
import { nodeResourceTypes } from './node-filters.ts'
import { type NewNode, nodesIn } from './nodes.ts'
import type { Schema, Scope } from './schema.ts'
import { tagsIn } from './tags.ts'

/** Registering a node is one step: a registration that failed must not use the activation up. */
export function registrationIn(db: Kysely<Schema>) {
  return {
    /** Claims one registration of an activation and inserts the node that it makes, with the activation's tags. */
    register(
      scope: Scope,
      activationId: string,
      now: number,
      nodeOf: (activation: Activation) => NewNode,
    ): Promise<Claim> {
      return db.transaction().execute(async transaction => {
        const claim = await activationsIn(transaction).claim(scope, activationId, now)
        if (!claim.claimed) return claim
        const node = await nodesIn(transaction).insert(scope, nodeOf(claim.activation))
        await tagsIn(transaction).add(scope, nodeResourceTypes[node.kind], node.nodeId, claim.activation.tags)
        return claim
      })
    },
  }
}
