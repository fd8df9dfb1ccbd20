import type { ArnSegments } from './arn-pattern.ts'
import type { ContextValues } from './context-values.ts'
import type { Variable } from './template.ts'

/** A policy as it is evaluated. Offsets of its statements are those of the text that it was read from. */
export type Policy = { readonly statements: readonly Statement[] }

/** Where a policy stands: with an identity, or as the trust policy of a role. */
export type PolicyKind = 'identity' | 'trust'

export type Effect = 'Allow' | 'Deny'

export type Statement = {
  readonly sid?: string
  readonly effect: Effect
  /** UTF-16 units from the beginning of the text; `end` is behind the closing brace. */
  readonly start: number
  readonly end: number
  readonly actions: ActionList
  /** Absent in trust policies: what they are attached to is the resource. */
  readonly resources?: ResourceList
  /** In trust policies only. */
  readonly principals?: PrincipalList
  /** All must hold. */
  readonly conditions: readonly Condition[]
}

/** Action or NotAction; `except` is the latter. */
export type ActionList = { readonly except: boolean; readonly patterns: readonly ActionPattern[] }

/** In lower case. `service` is `*` where every action of every service is meant. */
export type ActionPattern = { readonly service: string; readonly matches: (name: string) => boolean }

/** Resource or NotResource. `variables` are those of all patterns. */
export type ResourceList = {
  readonly except: boolean
  readonly patterns: readonly ResourcePattern[]
  readonly variables: readonly Variable[]
}

/** `segments` is undefined for what is no ARN, such as the `*` of actions that have no resource. */
export type ResourcePattern = (
  resource: string,
  segments: ArnSegments | undefined,
  context: ContextValues,
) => boolean

/** Principal or NotPrincipal. */
export type PrincipalList = {
  readonly except: boolean
  readonly everybody: boolean
  /** Account ids: those of accounts as such, by id or by the ARN of their root. */
  readonly accounts: readonly string[]
  readonly arns: readonly string[]
  readonly services: readonly string[]
}

export type Condition = {
  /** As written, with prefix and suffix. */
  readonly operator: string
  readonly key: string
  readonly wanted: readonly string[]
  /** In the wanted values. */
  readonly variables: readonly Variable[]
  readonly holds: (context: ContextValues) => boolean
}
