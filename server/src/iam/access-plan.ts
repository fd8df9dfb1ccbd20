/** Values of condition keys: one, or several for keys such as aws:TagKeys. Keys may be in any case. */
export type ConditionValues = Readonly<Record<string, string | readonly string[]>>

/** One action on one resource, which policies allow or not. */
export type AccessCheck = {
  /** Such as `ssm:StartSession`; the operation's own unless said. */
  action?: string
  /** An ARN, or `*`. */
  resource: string
  /** What a denial calls the resource, where its ARN says more than the request did: that it is there, and where. */
  shown?: string
  /** What is known of the resource and the request, beyond what every request has. */
  conditions?: ConditionValues
}

/**
 * What policies must allow for a request: all of `all`. Where nothing denies that explicitly but nothing allows it
 * either, all of `otherwise` will do.
 */
export type AccessPlan = { all: readonly AccessCheck[]; otherwise?: readonly AccessCheck[] }
