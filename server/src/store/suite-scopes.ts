import { afterAll, beforeAll, beforeEach } from 'vitest'
import type { Scope } from './schema.ts'
import type { Store } from './store.ts'

let accounts = (Date.now() % 1e8) * 1000

/** Gives each test of a store suite the store and a scope that nobody has used, not even a run before this one. */
export function inFreshScopes(
  open: () => Promise<Store>,
  begin: (given: { store: Store; scope: Scope }) => void,
): void {
  let store: Store
  beforeAll(async () => {
    store = await open()
  })
  afterAll(() => store.close())
  beforeEach(() => {
    accounts += 1
    const scope = { accountId: `7${String(accounts).padStart(11, '0')}`, region: 'us-east-1' }
    begin({ store, scope })
  })
}

/** The same account in another region, and another account. */
export function elsewhere(scope: Scope): Scope[] {
  return [
    { ...scope, region: 'eu-west-1' },
    { ...scope, accountId: `9${scope.accountId.slice(1)}` },
  ]
}
