import { setImmediate as nextTurn } from 'node:timers/promises'
import { NODE_ACTIONS } from '@sallyport/protocol/api/ssm-agent'
import type { RoleHolder } from '../store/nodes.ts'
import type { RoleRow, Scope } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import type { Access } from './access.ts'
import type { AccessCache } from './access-cache.ts'
import { assumedRoleArn } from './arns.ts'
import { cachedRole } from './cached-rows.ts'
import type { Decision, PolicySet } from './policy/decision.ts'
import type { NodePrincipal } from './principal.ts'
import type { RequestFacts } from './request-facts.ts'
import { NODE_SERVICES, trustsService } from './service-trust.ts'

const NODE_POLICY = 'AmazonSSMManagedInstanceCore'
/** So many instances are looked up one by one. */
const FEW = 16
/** So many are decided before anything else gets its turn. */
const DECIDED_AT_ONCE = 500
/** Beyond these the one that was seen longest ago is forgotten. */
const MAXIMUM_FACTS = 20_000

/** The beginning of a sentence about a node is `why`; `actions` are those that its role does not allow, if it has one. */
export type NodeLack = { why: string; actions: string[] }

/** What a node is told that wants to come online. */
export function onlineRefusal(nodeId: string, { why }: NodeLack): string {
  return `Node ${nodeId} may not come online: ${why}`
}

export type NodeRole = { role: RoleRow } | { role?: undefined; why: string }

type ProfileOf = (nodeId: string) => Promise<string | undefined>

export type NodeRolesOptions = {
  store: Store
  scope: Scope
  partition: string
  cache: AccessCache
  access: Access
  now: () => number
}

/** The roles of nodes: which one a node has at this moment, and whether it is enough to be online. */
export class NodeRoles {
  readonly #options: NodeRolesOptions
  /** Of nodes that came online here, for conditions on where they are. */
  readonly #facts = new Map<string, RequestFacts>()

  constructor(options: NodeRolesOptions) {
    this.#options = options
  }

  /** The role that a node has, or why it has none. */
  roleOf(node: RoleHolder): Promise<NodeRole> {
    return this.#find(node, nodeId => this.#profileOf(nodeId))
  }

  /** The node as policies see it, with the role that it has now. */
  async principal(node: RoleHolder): Promise<NodePrincipal> {
    const { role } = await this.roleOf(node)
    return this.#principal(node.nodeId, role)
  }

  /** Why a node may not be online; undefined if it may. Conditions on its requests see the last that `missingOf` was told of. */
  async missing(node: RoleHolder): Promise<NodeLack | undefined> {
    return await this.#missing(node, await this.roleOf(node))
  }

  /** `missing` of many, by node id: nodes of one role are decided as one, as far as its policies allow that. */
  async missingAmong(nodes: readonly RoleHolder[]): Promise<Map<string, NodeLack>> {
    const lacking = new Map<string, NodeLack>()
    const profileOf = await this.#profilesOf(nodes)
    for (const [i, node] of nodes.entries()) {
      // What is known already is decided without ever waiting for the store.
      if ((i + 1) % DECIDED_AT_ONCE === 0) await nextTurn()
      const lack = await this.#missing(node, await this.#find(node, profileOf))
      if (lack !== undefined) lacking.set(node.nodeId, lack)
    }
    return lacking
  }

  /** `missing`, of a node that wants to come online with such a request. */
  async missingOf(nodeId: string, facts: RequestFacts): Promise<NodeLack | undefined> {
    this.#noteFacts(nodeId, facts)
    const { store, scope } = this.#options
    const [node] = await store.nodes.roleHolders(scope, [nodeId])
    return node && (await this.missing(node))
  }

  #noteFacts(nodeId: string, facts: RequestFacts): void {
    this.#facts.delete(nodeId)
    this.#facts.set(nodeId, facts)
    if (this.#facts.size <= MAXIMUM_FACTS) return
    const [oldest] = this.#facts.keys()
    if (oldest !== undefined) this.#facts.delete(oldest)
  }

  #profileOf(nodeId: string): Promise<string | undefined> {
    const { store, scope, cache } = this.#options
    return cache.get(`node-profile:${nodeId}`, async () => {
      const association = await store.profileAssociations.forNode(scope, nodeId)
      return association?.profileName
    })
  }

  /** Of many instances, all are read at once. */
  async #profilesOf(nodes: readonly RoleHolder[]): Promise<ProfileOf> {
    const instances = nodes.filter(node => node.kind === 'instance')
    if (instances.length <= FEW) return nodeId => this.#profileOf(nodeId)
    const { store, scope } = this.#options
    const all = await store.profileAssociations.list(scope)
    const names = new Map(all.map(({ nodeId, profileName }) => [nodeId, profileName]))
    return async nodeId => names.get(nodeId)
  }

  async #missing(node: RoleHolder, found: NodeRole): Promise<NodeLack | undefined> {
    return found.role === undefined ? { why: found.why, actions: [] } : await this.#lack(node, found.role)
  }

  async #find(node: RoleHolder, profileOf: ProfileOf): Promise<NodeRole> {
    const name =
      node.kind === 'instance' ? await this.#profileRole(node.nodeId, profileOf) : managedRole(node)
    if (typeof name !== 'string') return name
    const role = await cachedRole(this.#options, name)
    if (role !== undefined) return { role }
    const advice = `Create it, or give the node another one with \`aws ssm update-managed-instance-role --instance-id ${node.nodeId} --iam-role …\`.`
    return { why: `its role ${name} does not exist. ${advice}` }
  }

  async #profileRole(nodeId: string, profileOf: ProfileOf): Promise<string | { why: string }> {
    const { store, scope, cache } = this.#options
    const profileName = await profileOf(nodeId)
    if (profileName === undefined) {
      return {
        why: `it has no role: associate an instance profile with \`aws ec2 associate-iam-instance-profile --instance-id ${nodeId} --iam-instance-profile Name=…\`.`,
      }
    }
    const profile = await cache.get(`instance-profile:${profileName}`, () =>
      store.instanceProfiles.get(scope, profileName),
    )
    if (profile === undefined) return { why: `its instance profile ${profileName} was deleted.` }
    return (
      profile.roleName ?? {
        why: `its instance profile ${profileName} holds no role: \`aws iam add-role-to-instance-profile --instance-profile-name ${profileName} --role-name …\`.`,
      }
    )
  }

  #principal(nodeId: string, role: RoleRow | undefined): NodePrincipal {
    const where = this.#options
    return {
      kind: 'node',
      arn: assumedRoleArn(where, role?.roleName ?? 'none', nodeId),
      userId: `${role?.roleId ?? 'none'}:${nodeId}`,
      nodeId,
      roleName: role?.roleName ?? null,
    }
  }

  async #lack(node: RoleHolder, role: RoleRow): Promise<NodeLack | undefined> {
    const { access, cache } = this.#options
    const service = NODE_SERVICES[node.kind]
    const key = `${service}:${role.roleName}`
    // By the text: a role that was read before a change must not answer for the one after it.
    const trusted = await cache.get(`node-trust:${key}:${role.path}:${role.trustPolicy}`, async () =>
      trustsService(this.#options, role, service),
    )
    if (!trusted) {
      const why = `the trust policy of its role ${role.roleName} does not let ${service} assume it.`
      return { why, actions: [] }
    }
    const principal = this.#principal(node.nodeId, role)
    const decide = () => this.#lackingActions(principal, role)
    const each = await cache.get(`node-conditions:${key}`, async () =>
      hasConditions(await access.policySet(principal)),
    )
    return await (each ? decide() : cache.get(`node-lack:${key}`, decide))
  }

  async #lackingActions(principal: NodePrincipal, role: RoleRow): Promise<NodeLack | undefined> {
    const { access, now } = this.#options
    const facts = { ...(this.#facts.get(principal.nodeId) ?? UNKNOWN_FACTS), now: now() }
    const actions: string[] = []
    let refusal: Refused | undefined
    for (const action of NODE_ACTIONS) {
      const answer = await access.decide(principal, { all: [{ action, resource: '*' }] }, action, facts)
      if (answer.allowed) continue
      actions.push(action)
      refusal ??= answer.decision
    }
    if (refusal === undefined) return undefined
    return { why: `its role ${role.roleName} lacks ${listed(actions)}${because(refusal)}`, actions }
  }
}

type Refused = Decision & { allowed: false }

const UNKNOWN_FACTS: RequestFacts = { now: 0, sourceIp: '', secureTransport: true, userAgent: '' }

function managedRole({ iamRole }: RoleHolder): string | { why: string } {
  return iamRole ?? { why: 'it has no role.' }
}

function listed(actions: readonly string[]): string {
  return actions.length === 1 ? `${actions[0]}` : `${actions.slice(0, -1).join(', ')} and ${actions.at(-1)}`
}

function because(refusal: Refused): string {
  const layer = refusal.layer === 'boundary' ? 'permissions boundary' : 'policy'
  if (refusal.reason === 'explicit-deny') return `: the ${layer} ${refusal.by.policy.name} denies it.`
  if (refusal.layer === 'boundary') return ': its permissions boundary does not allow it.'
  return `: no identity-based policy allows it. Attach ${NODE_POLICY} to it.`
}

/** Whether what a role allows may depend on which node asks, and from where. */
function hasConditions({ identity, boundary }: PolicySet): boolean {
  const policies = boundary === undefined ? identity : [...identity, boundary]
  return policies.some(({ policy }) => policy.statements.some(({ conditions }) => conditions.length > 0))
}
