import type { Position, SimulatedNearMiss, SimulatedStatement } from '@sallyport/protocol/api/iam-simulation'
import type { Layer, NamedPolicy, NearMiss, StatementPlace } from '@sallyport/server/iam/policy/decision'

/** Whether what stands in a policy may be told. */
export type Tells = (policy: NamedPolicy) => boolean

type Told = StatementPlace & { layer: Layer; effect: 'Allow' | 'Deny' }

/** A statement with its place in the policy; as it is written for those only who may read the policy. */
export function statementOutput(told: Told, tells: Tells): SimulatedStatement {
  const { policy, index, sid, layer, effect } = told
  const statement = policy.policy.statements[index]
  const { text } = policy
  const place =
    text === undefined || statement === undefined
      ? {}
      : {
          StartPosition: positionOf(policy, text, statement.start),
          EndPosition: positionOf(policy, text, statement.end - 1),
          StatementText: tells(policy) ? text.slice(statement.start, statement.end) : undefined,
        }
  return {
    SourcePolicyId: policyIdOf(policy),
    SourcePolicyType: policy.sourceType,
    ...place,
    PolicyName: policy.name,
    PolicyOwner: policy.owner,
    Sid: sid,
    Effect: effect,
    Layer: layer,
  }
}

export function nearMissOutput(miss: NearMiss & Told, tells: Tells): SimulatedNearMiss {
  return {
    ...statementOutput(miss, tells),
    UnmetConditions: miss.unmet.map(({ operator, key, wanted, found }) => ({
      Operator: operator,
      Key: key,
      Wanted: wanted,
      Found: found,
    })),
  }
}

/** As AWS names them: managed policies by name, inline ones with their owner, `user_alice_DevShells`. */
function policyIdOf({ name, sourceType, owner }: NamedPolicy): string {
  if (sourceType === 'aws-managed' || sourceType === 'user-managed')
    return name.slice(name.lastIndexOf('/') + 1)
  return owner === undefined ? name : `${sourceType}_${owner}_${name}`
}

/** Where the lines of a policy begin; remembered, for one that has thousands of statements would be read so often. */
const lineStarts = new WeakMap<NamedPolicy, readonly number[]>()

function positionOf(policy: NamedPolicy, text: string, offset: number): Position {
  const starts = lineStarts.get(policy) ?? [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)]
  lineStarts.set(policy, starts)
  let [low, high] = [0, starts.length]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((starts[middle] ?? 0) <= offset) low = middle
    else high = middle
  }
  return { Line: low + 1, Column: offset - (starts[low] ?? 0) + 1 }
}
