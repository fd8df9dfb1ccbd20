import { AwsError } from '@sallyport/protocol/aws/error'
import { resolveSessionDocument } from '../documents/resolve.ts'
import type { SessionDocument } from '../documents/session-documents.ts'
import type { Access } from '../iam/access.ts'
import type { AccessCache } from '../iam/access-cache.ts'
import type { Realm } from '../iam/arns.ts'
import { denialMessage } from '../iam/denial.ts'
import type { Identities, Standing } from '../iam/identities.ts'
import type { NodeRoles } from '../iam/node-roles.ts'
import type { Person } from '../iam/principal.ts'
import type { RequestFacts } from '../iam/request-facts.ts'
import type { ManagedNode } from '../store/nodes.ts'
import type { Session } from '../store/sessions.ts'
import type { Store } from '../store/store.ts'
import type { BoundParameters } from './destination.ts'
import { documentChange } from './document-changes.ts'
import { RESUME_SESSION, START_SESSION, sessionCheck, startSessionPlan } from './plan.ts'
import { type StartedBy, startedBy, wantedOf } from './record.ts'
import { runAsUser } from './run-as-user.ts'

export type SessionAuthorityOptions = Realm & {
  store: Store
  cache: AccessCache
  access: Access
  identities: Identities
  nodeRoles: NodeRoles
  now: () => number
}

const OPEN_DATA_CHANNEL = 'ssmmessages:OpenDataChannel'

/** Decides again whether a session that was started may go on (DESIGN 6.6). */
export class SessionAuthority {
  readonly #options: SessionAuthorityOptions

  constructor(options: SessionAuthorityOptions) {
    this.#options = options
  }

  /** Why the session is not allowed any more, for its record; undefined if it is. */
  async denial(session: Session): Promise<string | undefined> {
    const { store, scope, cache } = this.#options
    const { nodeId } = session
    const node = await cache.get(`node ${nodeId}`, () => store.nodes.get(scope, nodeId))
    if (node === undefined || node.deregisteredAt !== null) return `${nodeId} was deregistered`
    const lack = await this.#nodeLack(node)
    if (lack !== undefined) return lack
    const started = startedBy(session)
    const { person, gone } = await this.#standing(session, started)
    if (person === undefined) return gone
    const facts = { ...started.facts, now: this.#options.now() }
    return (
      (await this.#documentDenial(session, started.documentNamed, node, person, facts)) ??
      (await this.#startDenial(session, person, facts)) ??
      (await this.#openDenial(session, person, facts)) ??
      (await this.#resumerDenial(session, started))
    )
  }

  /** Of those who have had it since, with other credentials. */
  async #resumerDenial(session: Session, { resumedBy = [] }: StartedBy): Promise<string | undefined> {
    for (const resumer of resumedBy) {
      const { person, gone } = await this.#options.identities.standing(resumer.person)
      if (person === undefined) return gone
      const facts = { ...resumer.facts, now: this.#options.now() }
      const denial =
        (await this.#resumeDenial(session, person, facts)) ?? (await this.#openDenial(session, person, facts))
      if (denial !== undefined) return denial
    }
    return undefined
  }

  /** Whoever may still start it may resume it, as may who has the permission for just that. */
  async #resumeDenial(session: Session, person: Person, facts: RequestFacts): Promise<string | undefined> {
    const plan = { all: [sessionCheck(this.#options, session.sessionId, session, RESUME_SESSION)] }
    const resume = await this.#options.access.decide(person, plan, RESUME_SESSION, facts)
    if (resume.allowed) return undefined
    if (resume.decision.reason === 'explicit-deny')
      return denialMessage(person, resume.check, resume.decision)
    return await this.#startDenial(session, person, facts)
  }

  async #nodeLack(node: ManagedNode): Promise<string | undefined> {
    const lack = await this.#options.nodeRoles.missing(node)
    return lack && `${node.nodeId} may not be online: ${lack.why}`
  }

  /** Which key a session was started with is not known of one that is older than its record. */
  async #standing({ authority, ownerUserId }: Session, { person }: StartedBy): Promise<Standing> {
    const { store, scope, cache, identities } = this.#options
    if (authority !== null || person.kind !== 'user') return await identities.standing(person)
    const { userName } = person
    const user = await cache.get(`owner ${userName}`, () => store.users.get(scope, userName))
    return user?.userId === ownerUserId ? { person } : { gone: `user ${userName} was deleted` }
  }

  async #documentDenial(
    session: Session,
    documentNamed: boolean,
    node: ManagedNode,
    person: Person,
    facts: RequestFacts,
  ): Promise<string | undefined> {
    const { store, scope, cache, access } = this.#options
    const given = documentNamed ? session.documentName : undefined
    try {
      const document = await cache.get(`session document ${given ?? ''}`, () =>
        resolveSessionDocument(store.documents, scope, given),
      )
      const content = session.documentContent as SessionDocument
      const parameters = session.parameters as BoundParameters
      const change = documentChange(document, { content, parameters }, node)
      if (change !== undefined) return change
      const user = await runAsUser(access, document, person, facts)
      if (user === session.runAsUser) return undefined
      return `sessions of this person by document ${document.name} run as ${user ?? 'the user that the agent chooses'} now`
    } catch (error) {
      if (error instanceof AwsError) return error.message
      throw error
    }
  }

  /** The policies of now, for what was asked then. */
  async #startDenial(session: Session, person: Person, facts: RequestFacts): Promise<string | undefined> {
    const plan = await startSessionPlan(this.#options, wantedOf(session))
    const start = await this.#options.access.decide(person, plan, START_SESSION, facts)
    return start.allowed ? undefined : denialMessage(person, start.check, start.decision)
  }

  /** Nothing has to allow it: the minimum policies of AWS's guides do not name it. */
  async #openDenial(session: Session, person: Person, facts: RequestFacts): Promise<string | undefined> {
    const open = { all: [sessionCheck(this.#options, session.sessionId, session, OPEN_DATA_CHANNEL)] }
    const opened = await this.#options.access.decide(person, open, OPEN_DATA_CHANNEL, facts)
    if (opened.allowed || opened.decision.reason !== 'explicit-deny') return undefined
    return denialMessage(person, opened.check, opened.decision)
  }
}
