import { ROLE_TAGS } from '../store/roles.ts'
import type { Scope } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import type { Tag } from '../store/tags.ts'
import { USER_TAGS } from '../store/users.ts'
import type { AccessCache } from './access-cache.ts'
import type { ConditionValues } from './access-plan.ts'
import { nodeArn, roleArn } from './arns.ts'
import { cachedRole, cachedTags } from './cached-rows.ts'
import type { ContextValues } from './policy/decision.ts'
import type { NodePrincipal, Person, RolePrincipal, UserPrincipal } from './principal.ts'
import type { RequestFacts } from './request-facts.ts'

export type PrincipalKeysOptions = { store: Store; scope: Scope; partition: string; cache: AccessCache }

const EPOCH_UNIT_MS = 1000

/** Condition keys that say who asks (control-plane.md 34.3). Keys are in lower case. */
export class PrincipalKeys {
  readonly #options: PrincipalKeysOptions

  constructor(options: PrincipalKeysOptions) {
    this.#options = options
  }

  of(principal: Person | NodePrincipal): Promise<ContextValues> {
    return this.#options.cache.get(cacheKey(principal), async () => new Map(await this.#entries(principal)))
  }

  async #entries(principal: Person | NodePrincipal): Promise<Entry[]> {
    const { scope } = this.#options
    const common: Entry[] = [
      ['aws:userid', [principal.userId]],
      ['aws:principalaccount', [scope.accountId]],
      ['aws:requestedregion', [scope.region]],
      ['aws:principalisawsservice', ['false']],
      ['aws:viaawsservice', ['false']],
    ]
    switch (principal.kind) {
      case 'user':
        return [...common, ...(await this.#user(principal))]
      case 'role':
        return [...common, ...(await this.#roleSession(principal))]
      case 'node':
        return [...common, ...(await this.#node(principal))]
      default:
        return principal satisfies never
    }
  }

  async #user({ arn, userName, temporary }: UserPrincipal): Promise<Entry[]> {
    return [
      ['aws:username', [userName]],
      ['aws:principalarn', [arn]],
      ['aws:principaltype', ['User']],
      ...principalTags(await this.#tags(USER_TAGS, userName)),
      ...(temporary === undefined ? [] : temporaryKeys(temporary.issuedAt)),
    ]
  }

  /** Session tags come last: they stand in front of the role's own. */
  async #roleSession(principal: RolePrincipal): Promise<Entry[]> {
    const { roleName, tags, sourceIdentity, temporary } = principal
    const sessionTags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
    return [
      ['aws:principalarn', [principal.roleArn]],
      ['aws:principaltype', ['AssumedRole']],
      ...principalTags([...(await this.#tags(ROLE_TAGS, roleName)), ...sessionTags]),
      ...(sourceIdentity === undefined ? [] : [['aws:sourceidentity', [sourceIdentity]] satisfies Entry]),
      ...temporaryKeys(temporary.issuedAt),
    ]
  }

  async #node({ nodeId, roleName }: NodePrincipal): Promise<Entry[]> {
    const own = nodeArn(this.#options, nodeId)
    const entries: Entry[] = [
      ['aws:principaltype', ['AssumedRole']],
      ['aws:multifactorauthpresent', ['false']],
      ['ssm:sourceinstancearn', [own]],
    ]
    if (nodeId.startsWith('i-')) entries.push(['ec2:sourceinstancearn', [own]])
    const role = roleName === null ? undefined : await cachedRole(this.#options, roleName)
    if (role === undefined) return entries
    entries.push(['aws:principalarn', [roleArn(this.#options, role.path, role.roleName)]])
    return [...entries, ...principalTags(await this.#tags(ROLE_TAGS, role.roleName))]
  }

  #tags(resourceType: string, name: string): Promise<readonly Tag[]> {
    return cachedTags(this.#options, resourceType, name)
  }
}

type Entry = [key: string, values: readonly string[]]

function principalTags(tags: readonly Tag[]): Entry[] {
  return tags.map(({ Key, Value }) => [`aws:principaltag/${Key.toLowerCase()}`, [Value]])
}

/** Whoever has a long-term key has no MFA key at all, as on AWS: `BoolIfExists` is written for that. */
function temporaryKeys(issuedAt: number): Entry[] {
  return [
    ['aws:multifactorauthpresent', ['false']],
    ['aws:tokenissuetime', [isoSeconds(issuedAt)]],
  ]
}

/** Two sessions of one role, and a key beside what GetSessionToken gave, differ in what they are asked for. */
function cacheKey(principal: Person | NodePrincipal): string {
  const session = principal.kind === 'node' ? (principal.roleName ?? '') : principal.temporary?.accessKeyId
  return `keys of ${principal.arn} ${session ?? ''}`
}

/** The keys of the principal, of the request and of what it is about, in one. */
export function requestContext(
  principalKeys: ContextValues,
  facts: RequestFacts,
  conditions: ConditionValues = {},
): ContextValues {
  const context = new Map(principalKeys)
  for (const key of Object.keys(conditions)) {
    const values = conditions[key]
    if (values !== undefined) context.set(key.toLowerCase(), typeof values === 'string' ? [values] : values)
  }
  // After the resource's: what a tag is called cannot make up where a request comes from.
  context.set('aws:sourceip', [facts.sourceIp])
  context.set('aws:securetransport', [String(facts.secureTransport)])
  context.set('aws:currenttime', [isoSeconds(facts.now)])
  context.set('aws:epochtime', [String(Math.floor(facts.now / EPOCH_UNIT_MS))])
  context.set('aws:useragent', [facts.userAgent])
  if (facts.referer !== undefined) context.set('aws:referer', [facts.referer])
  return context
}

function isoSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 'yyyy-mm-ddThh:mm:ss'.length)}Z`
}
