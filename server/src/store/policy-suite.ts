import { describe, expect, test } from 'vitest'
import type { NewPolicy } from './policies.ts'
import type { Scope } from './schema.ts'
import type { Store } from './store.ts'
import { elsewhere, inFreshScopes } from './suite-scopes.ts'

/** What every store does with policies. `open` gives an empty or a used store; scopes are fresh. */
export function policySuite(name: string, open: () => Promise<Store>): void {
  describe(name, () => {
    let store: Store
    let scope: Scope
    inFreshScopes(open, given => {
      store = given.store
      scope = given.scope
    })

    const arn = (policyName: string) => `arn:aws:iam::1:policy/${policyName}`
    const policy = (policyName: string, more: Partial<NewPolicy> = {}): NewPolicy => ({
      policyName,
      policyId: `ANPA${policyName}`,
      policyArn: arn(policyName),
      path: '/',
      description: null,
      createdAt: 1,
      document: 'first',
      tags: [],
      ...more,
    })
    const user = (userName: string) =>
      store.users.create(scope, { userName, userId: `AIDA${userName}`, path: '/', createdAt: 1 })
    const ofUser = (ownerName: string) => ({ ownerType: 'user' as const, ownerName })
    const attach = (ownerName: string, policyArn: string, maximum?: number) =>
      store.ownerPolicies.attach(scope, { ...ofUser(ownerName), policyArn, attachedAt: 1 }, maximum)

    test('a policy is found by its whole ARN, in its own account and region only', async () => {
      expect(await store.policies.create(scope, policy('a'), 10)).toBe('created')
      expect(await store.policies.get(scope, arn('a'))).toMatchObject({ defaultVersion: 1, latestVersion: 1 })
      expect(await store.policies.get(scope, arn('x/a'))).toBeUndefined()
      expect(await store.policies.documents(scope, [arn('a'), arn('b')])).toEqual(
        new Map([[arn('a'), 'first']]),
      )
      for (const other of elsewhere(scope)) {
        expect(await store.policies.get(other, arn('a'))).toBeUndefined()
        expect(await store.policies.list(other)).toEqual([])
        expect(await store.policies.documents(other, [arn('a')])).toEqual(new Map())
        expect(await store.policies.versions(other, 'a')).toEqual([])
        expect(await store.policies.remove(other, arn('a'))).toBe('absent')
      }
    })

    test('of policies made at once there are never too many, nor two of one name', async () => {
      const made = await Promise.all(
        ['a', 'A', 'b', 'c', 'd'].map(each => store.policies.create(scope, policy(each), 3)),
      )
      expect(made.toSorted()).toEqual(['created', 'created', 'created', 'exists', 'too-many'])
    })

    test('documents are those of default versions, and numbers of versions are not given again', async () => {
      await store.policies.create(scope, policy('a'), 10)
      const add = (document: string, setAsDefault = false) =>
        store.policies.addVersion(scope, arn('a'), { document, createdAt: 2, setAsDefault }, 3)
      const current = async () => (await store.policies.documents(scope, [arn('a')])).get(arn('a'))
      await add('second')
      expect(await current()).toBe('first')
      expect(await store.policies.setDefault(scope, arn('a'), 2, 3)).toBe('set')
      expect(await current()).toBe('second')
      expect(await store.policies.removeVersion(scope, arn('a'), 2, 4)).toBe('is-default')
      expect(await store.policies.removeVersion(scope, arn('a'), 1, 4)).toBe('removed')
      expect(await store.policies.removeVersion(scope, arn('a'), 1, 4)).toBe('no-version')
      expect(await store.policies.setDefault(scope, arn('a'), 1, 5)).toBe('no-version')
      await add('third', true)
      expect(await store.policies.removeVersion(scope, arn('a'), 2, 6)).toBe('removed')
      expect(await add('fourth')).toMatchObject({ version: 4 })
      expect(await store.policies.removeVersion(scope, arn('a'), 4, 7)).toBe('removed')
      expect(await add('fifth')).toMatchObject({ version: 5 })
      expect(await add('sixth')).toMatchObject({ version: 6 })
      expect(await add('seventh')).toBe('too-many')
      expect((await store.policies.versions(scope, 'a')).map(({ version }) => version)).toEqual([6, 5, 3])
      expect(await current()).toBe('third')
    })

    test('a policy goes with its tags when nobody has it any more', async () => {
      await user('ada')
      await store.policies.create(scope, policy('a', { tags: [{ Key: 'k', Value: 'v' }] }), 10)
      await attach('ada', arn('a'))
      expect(await store.policies.remove(scope, arn('a'))).toBe('attached')
      await store.ownerPolicies.detach(scope, ofUser('ada'), arn('a'))
      await store.users.setBoundary(scope, 'ada', arn('a'))
      expect(await store.policies.remove(scope, arn('a'))).toBe('attached')
      expect(await store.policies.usage(scope)).toEqual(
        new Map([[arn('a'), { attachments: 0, boundaries: 1 }]]),
      )
      await store.users.setBoundary(scope, 'ada', null)
      expect(await store.policies.remove(scope, arn('a'))).toBe('removed')
      expect(await store.tags.list(scope, 'Policy', 'a')).toEqual([])
      expect(await store.policies.versions(scope, 'a')).toEqual([])
    })

    test('a policy and its last use do not cross: what is attached is there', async () => {
      await user('ada')
      for (let round = 0; round < 10; round += 1) {
        await store.policies.create(scope, policy(`a${round}`), 100)
        const target = arn(`a${round}`)
        const [attached, removed] = await Promise.all([
          attach('ada', target),
          store.policies.remove(scope, target),
        ])
        expect([attached, removed]).toBeOneOf([
          ['attached', 'attached'],
          ['no-policy', 'removed'],
        ])
      }
    })

    test('what somebody has goes along to a new name, and is nobody else’s', async () => {
      await user('ada')
      const aws = 'arn:aws:iam::aws:policy/ReadOnlyAccess'
      expect(await attach('ada', aws)).toBe('attached')
      expect(await attach('ada', arn('none'))).toBe('no-policy')
      expect(await attach('nobody', aws)).toBe('no-owner')
      const inline = { ...ofUser('ada'), policyName: 'p', document: '{ "a": 1 }' }
      expect(await store.ownerPolicies.putInline(scope, inline, 7)).toBe('put')
      expect(await store.ownerPolicies.putInline(scope, { ...inline, policyName: 'q' }, 13)).toBe('too-large')
      await store.ownerPolicies.rename(scope, 'group', 'ada', 'wrong')
      await store.ownerPolicies.rename(scope, 'user', 'ada', 'eve')
      expect(await store.ownerPolicies.of(scope, 'user', ['ada'])).toEqual({ attached: [], inline: [] })
      expect(await store.ownerPolicies.of(scope, 'user', ['ada', 'eve'])).toMatchObject({
        attached: [{ ownerName: 'eve', policyArn: aws }],
        inline: [{ ownerName: 'eve', policyName: 'p', document: '{ "a": 1 }' }],
      })
      for (const other of elsewhere(scope)) {
        expect(await store.ownerPolicies.of(other, 'user', ['eve'])).toEqual({ attached: [], inline: [] })
        expect(await store.ownerPolicies.detach(other, ofUser('eve'), aws)).toBe(false)
        expect(await store.ownerPolicies.removeInline(other, ofUser('eve'), 'p')).toBe(false)
      }
    })
  })
}
