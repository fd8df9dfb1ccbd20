import type { NamedPolicy, PolicySet } from '@sallyport/server/iam/policy/decision'

/** Every key whose value conditions and variables of policies ask for, each once and as it is written first. */
export function contextKeysOf(policies: readonly NamedPolicy[]): string[] {
  const keys = new Map<string, string>()
  const add = (key: string) => {
    if (!keys.has(key.toLowerCase())) keys.set(key.toLowerCase(), key)
  }
  for (const { policy } of policies) {
    for (const { conditions, resources } of policy.statements) {
      for (const { key, variables } of conditions) {
        add(key)
        for (const { spelling } of variables) add(spelling)
      }
      for (const { spelling } of resources?.variables ?? []) add(spelling)
    }
  }
  return [...keys.values()].sort()
}

export function policiesOf({ identity, boundary, session = [] }: PolicySet): NamedPolicy[] {
  return [...identity, ...(boundary === undefined ? [] : [boundary]), ...session]
}
