import type { Infer, Shape } from '@sallyport/protocol/aws/shape'
import type { Bus } from '../bus/bus.ts'
import type { ChannelTokens } from '../iam/channel-tokens.ts'
import type { ActivationGuesses } from '../iam/guess-limit.ts'
import type { NodeKeyPrincipal, NodePrincipal, Principal, UserPrincipal } from '../iam/principal.ts'
import type { SessionCredentials } from '../iam/session-credentials.ts'
import type { SessionQuotas } from '../store/session-quotas.ts'
import type { Store } from '../store/store.ts'
import type { HeldPolls } from './held-polls.ts'

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
  bus: Bus
  sessionCredentials: SessionCredentials
  channelTokens: ChannelTokens
  activationGuesses: ActivationGuesses
  polls: HeldPolls
  sessionQuotas: SessionQuotas
}

type Callers = {
  user: UserPrincipal
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
  /** ARNs that the request acts on, for policies and messages; `*` if none. */
  resources?: (input: Infer<S>, context: OperationContext) => string[]
  run: (context: OperationContext, input: Infer<S>, principal: Callers[C]) => Promise<object>
}

/** An operation as the table holds it: its own types are checked where it is written. */
export type AnyOperation = Omit<Operation<Shape<unknown>, Caller>, 'run' | 'ownNode' | 'resources'> & {
  ownNode?: (input: never) => string
  resources?: (input: never, context: OperationContext) => string[]
  run: (context: OperationContext, input: never, principal: never) => Promise<object>
}

/** Lets the compiler infer an operation's types from its shape. */
export function operation<S extends Shape<unknown>, const C extends Caller>(
  definition: Operation<S, C>,
): Operation<S, C> {
  return definition
}
