import type { ContextValues } from './context-values.ts'
import type { Policy } from './policy.ts'

export type { ContextValues } from './context-values.ts'

export type AccessRequest = { action: string; resource: string; context: ContextValues }

/** Where a policy stands: all layers that there are must allow, and none may deny (control-plane.md 34.4). */
export type Layer = 'identity' | 'boundary' | 'session'

export type NamedPolicy = {
  /** How people are told of it: `DevShells`, `arn:aws:iam::aws:policy/ReadOnlyAccess`. */
  name: string
  /** As SimulatePrincipalPolicy calls it. */
  sourceType: 'user' | 'group' | 'role' | 'aws-managed' | 'user-managed' | 'none'
  policy: Policy
  /** What it was read from, for showing statements. */
  text?: string
  /** Whose inline policy it is. */
  owner?: string
}

/** Everything that decides what a principal may do. */
export type PolicySet = {
  identity: readonly NamedPolicy[]
  /** Absent: no boundary. */
  boundary?: NamedPolicy
  /** Absent: no session policies. One of them must allow. */
  session?: readonly NamedPolicy[]
}

/** A statement by its place: `index` counts from 0; `sid` if it has one. */
export type StatementPlace = { policy: NamedPolicy; index: number; sid?: string }

/** A condition that kept a statement from matching. */
export type UnmetCondition = {
  operator: string
  key: string
  wanted: readonly string[]
  found: readonly string[] | undefined
}

/** An Allow whose action and resource fit, but whose conditions did not hold. */
export type NearMiss = StatementPlace & { unmet: readonly UnmetCondition[] }

export type Decision =
  | { allowed: true }
  | { allowed: false; reason: 'explicit-deny'; layer: Layer; by: StatementPlace }
  | { allowed: false; reason: 'no-statement'; layer: Layer; nearest?: NearMiss }
