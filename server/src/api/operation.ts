import type { Infer, Shape } from '@sallyport/protocol/aws/shape'
import type { AgentRelease } from '../agent-release.ts'
import type { Bus } from '../bus/bus.ts'
import type { Commands } from '../commands/commands.ts'
import type { CommandOutput } from '../commands/output.ts'
import type { Access } from '../iam/access.ts'
import type { AccessPlan } from '../iam/access-plan.ts'
import type { ChannelTokens } from '../iam/channel-tokens.ts'
import type { ActivationGuesses } from '../iam/guess-limit.ts'
import type { NodeRoles } from '../iam/node-roles.ts'
import type { NodeKeyPrincipal, NodePrincipal, Person, Principal } from '../iam/principal.ts'
import type { RequestFacts } from '../iam/request-facts.ts'
import type { SessionCredentials } from '../iam/session-credentials.ts'
import type { Sealing } from '../store/sealing.ts'
import type { SessionQuotas } from '../store/session-quotas.ts'
import type { Store } from '../store/store.ts'
import type { CommandWatches } from './command-watches.ts'
import type { HeldPolls } from './held-polls.ts'
import type { NodeWaits } from './node-waits.ts'

/** Where everything is: part of every key in the store. */
export type Scope = { accountId: string; region: string }

export type OperationContext = {
  scope: Scope
  partition: string
  /** Milliseconds since the epoch, the same for all of one request. */
  now: number
  /** Where the caller reached us, for addresses that we hand back. */
  origin: string
  /** The address that the request came from; empty if the connection is gone already. */
  remoteAddress: string
  /** Aborted when the caller does not wait for the answer any more. */
  gone: AbortSignal
  store: Store
  /** For what must not be readable in a stolen copy of the store. */
  sealing: Sealing
  bus: Bus
  sessionCredentials: SessionCredentials
  channelTokens: ChannelTokens
  activationGuesses: ActivationGuesses
  polls: HeldPolls
  sessionQuotas: SessionQuotas
  access: Access
  nodeRoles: NodeRoles
  nodeWaits: NodeWaits
  commands: Commands
  commandOutput: CommandOutput
  commandWatches: CommandWatches
  agentRelease: AgentRelease
  /** What conditions may ask of this request. */
  facts: RequestFacts
}

type Callers = {
  person: Person
  node: NodePrincipal
  'node-key': NodeKeyPrincipal
  anonymous: Principal
}
export type Caller = keyof Callers

/**
 * One operation of the API: who may call it, what its input looks like and what it does. Everything around it
 * is done by dispatch.ts, for all operations alike.
 */
export type Operation<S, C extends Caller> = {
  input: S
  /** Kinds of principals; everybody else is denied. */
  callers: readonly C[]
  /** For agents: the node that the request speaks for, which must be the caller itself. */
  ownNode?: (input: Infer<S>) => string
  /** What policies must allow; the operation's own action on `*` unless said. */
  access?: (
    input: Infer<S>,
    context: OperationContext,
    principal: Callers[C],
  ) => AccessPlan | Promise<AccessPlan>
  /**
   * It may change what somebody is allowed: caches are dropped and what is open is decided again, also when it fails
   * half way (DESIGN 6.6).
   */
  changesAccess?: true
  run: (context: OperationContext, input: Infer<S>, principal: Callers[C]) => Promise<object>
}

/** An operation as the table holds it: its own types are checked where it is written. */
export type AnyOperation = Omit<Operation<Shape<unknown>, Caller>, 'run' | 'ownNode' | 'access'> & {
  ownNode?: (input: never) => string
  access?: (input: never, context: OperationContext, principal: never) => AccessPlan | Promise<AccessPlan>
  run: (context: OperationContext, input: never, principal: never) => Promise<object>
}

/** The operations of one service, by name. */
export type OperationTable = Readonly<Record<string, AnyOperation>>

/** Lets the compiler infer an operation's types from its shape. */
export function operation<S extends Shape<unknown>, const C extends Caller>(
  definition: Operation<S, C>,
): Operation<S, C> {
  return definition
}
