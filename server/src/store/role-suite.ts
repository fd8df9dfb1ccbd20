import { describe, expect, test } from 'vitest'
import type { NewRole } from './roles.ts'
import type { Scope } from './schema.ts'
import type { Store } from './store.ts'
import { elsewhere, inFreshScopes } from './suite-scopes.ts'

/** What every store does with roles and instance profiles. `open` gives an empty or a used store; scopes are fresh. */
export function roleSuite(name: string, open: () => Promise<Store>): void {
  describe(name, () => {
    let store: Store
    let scope: Scope
    inFreshScopes(open, given => {
      store = given.store
      scope = given.scope
    })

    const role = (roleName: string, more: Partial<NewRole> = {}): NewRole => ({
      roleName,
      roleId: `AROA${roleName}`,
      path: '/',
      description: null,
      trustPolicy: '{}',
      maxSessionDuration: 3600,
      permissionsBoundary: null,
      createdAt: 1,
      ...more,
    })
    const make = (roleName: string, limit = 10) => store.roles.create(scope, role(roleName), { limit })
    const profile = (profileName: string) => ({
      profileName,
      profileId: `AIPA${profileName}`,
      path: '/',
      createdAt: 1,
    })
    const makeProfile = (profileName: string, limit = 10) =>
      store.instanceProfiles.create(scope, profile(profileName), { limit })

    test('a role is found by its name in its own account and region, and changed', async () => {
      const { created } = await make('Web')
      expect(created).toEqual({ ...scope, ...role('Web'), lastUsedAt: null, lastUsedRegion: null })
      expect(await store.roles.get(scope, 'Web')).toEqual(created)
      for (const other of elsewhere(scope)) {
        expect(await store.roles.get(other, 'Web')).toBeUndefined()
        expect(await store.roles.update(other, 'Web', { description: 'x' })).toBe(false)
        expect(await store.roles.setBoundary(other, 'Web', 'arn:x')).toBe(false)
        expect(await store.roles.remove(other, 'Web')).toBe('missing')
        expect(await store.roles.list(other)).toEqual([])
      }
      expect(await store.roles.update(scope, 'Web', { trustPolicy: '{"a":1}', description: 'w' })).toBe(true)
      expect(await store.roles.update(scope, 'Web', {})).toBe(true)
      expect(await store.roles.update(scope, 'web', {})).toBe(false)
      expect(await store.roles.setBoundary(scope, 'Web', 'arn:b')).toBe(true)
      await store.roles.touch(scope, 'Web', { now: 5, region: 'us-east-1' })
      expect(await store.roles.get(scope, 'Web')).toEqual({
        ...created,
        trustPolicy: '{"a":1}',
        description: 'w',
        permissionsBoundary: 'arn:b',
        lastUsedAt: 5,
        lastUsedRegion: 'us-east-1',
      })
    })

    test('names are taken whatever their case, and there are no more than the limit, also at once', async () => {
      const outcomes = await Promise.all(['a', 'A', 'b', 'B', 'c', 'd'].map(each => make(each, 3)))
      expect(
        outcomes.map(outcome => outcome.created?.roleName ?? ('reason' in outcome && outcome.reason)),
      ).toEqual(['a', 'taken', 'b', 'taken', 'c', 'full'])
      expect((await store.roles.list(scope)).map(({ roleName }) => roleName)).toEqual(['a', 'b', 'c'])
      const profiles = await Promise.all(['a', 'A', 'b', 'c'].map(each => makeProfile(each, 2)))
      expect(profiles.map(outcome => outcome.created !== undefined)).toEqual([true, false, true, false])
    })

    test('a role goes when nothing belongs to it, and a new one does not have its tags', async () => {
      const tags = [{ Key: 'k', Value: 'v' }]
      await store.roles.create(scope, role('Web'), { tags, limit: 10 })
      const owner = { ownerType: 'role', ownerName: 'Web' } as const
      await store.ownerPolicies.attach(scope, {
        ...owner,
        policyArn: 'arn:aws:iam::aws:policy/X',
        attachedAt: 1,
      })
      await store.ownerPolicies.putInline(scope, { ...owner, policyName: 'p', document: '{}' })
      await makeProfile('web')
      await store.instanceProfiles.setRole(scope, 'web', 'Web')
      expect(await store.roles.remove(scope, 'Web')).toBe('instance-profile')
      await store.instanceProfiles.removeRole(scope, 'web', 'Web')
      expect(await store.roles.remove(scope, 'Web')).toBe('attached-policies')
      await store.ownerPolicies.detach(scope, owner, 'arn:aws:iam::aws:policy/X')
      expect(await store.roles.remove(scope, 'Web')).toBe('inline-policies')
      await store.ownerPolicies.removeInline(scope, owner, 'p')
      expect(await store.tags.list(scope, 'Role', 'Web')).toEqual(tags)
      expect(await store.roles.remove(scope, 'Web')).toBe('removed')
      expect(await store.tags.list(scope, 'Role', 'Web')).toEqual([])
      // What a request that was under way leaves behind.
      await store.tags.add(scope, 'Role', 'Web', tags)
      await make('Web')
      expect(await store.tags.list(scope, 'Role', 'Web')).toEqual([])
    })

    test('a policy of a user keeps no role of the same name', async () => {
      await make('ada')
      await store.users.create(scope, { userName: 'ada', userId: 'AIDA1', path: '/', createdAt: 1 })
      await store.ownerPolicies.putInline(scope, {
        ownerType: 'user',
        ownerName: 'ada',
        policyName: 'p',
        document: '{}',
      })
      expect(await store.roles.remove(scope, 'ada')).toBe('removed')
    })

    test('an instance profile holds one role, of those that come at once as well', async () => {
      await Promise.all([make('a'), make('b'), makeProfile('p'), makeProfile('q')])
      const { setRole } = store.instanceProfiles
      const outcomes = await Promise.all(['a', 'b', 'a'].map(each => setRole(scope, 'p', each)))
      expect(outcomes).toEqual(['set', 'occupied', 'occupied'])
      expect(await setRole(scope, 'q', 'A')).toBe('no-role')
      expect(await setRole(scope, 'r', 'a')).toBe('no-profile')
      expect(await setRole(scope, 'q', 'a')).toBe('set')
      const holding = await store.instanceProfiles.forRole(scope, 'a')
      expect(holding.map(({ profileName }) => profileName)).toEqual(['p', 'q'])
      expect(await store.instanceProfiles.removeRole(scope, 'p', 'b')).toBe(false)
      expect(await store.instanceProfiles.remove(scope, 'p')).toBe('has-role')
      expect(await store.instanceProfiles.removeRole(scope, 'p', 'a')).toBe(true)
      for (const other of elsewhere(scope)) {
        expect(await store.instanceProfiles.get(other, 'p')).toBeUndefined()
        expect(await store.instanceProfiles.remove(other, 'p')).toBe('missing')
      }
      expect(await store.instanceProfiles.remove(scope, 'p')).toBe('removed')
      expect((await store.instanceProfiles.list(scope)).map(({ profileName }) => profileName)).toEqual(['q'])
    })

    test('a role that is taken away while it is put into a profile is in none', async () => {
      await Promise.all([make('a'), makeProfile('p')])
      const [removal, set] = await Promise.all([
        store.roles.remove(scope, 'a'),
        store.instanceProfiles.setRole(scope, 'p', 'a'),
      ])
      expect([removal, set]).toEqual(['removed', 'no-role'])
    })

    test('nodes do not find themselves in a profile that gets the name of a deleted one', async () => {
      await makeProfile('p')
      const association = { associationId: 'iip-assoc-1', nodeId: 'i-1', profileName: 'p', createdAt: 1 }
      await store.db
        .insertInto('profileAssociations')
        .values({ ...scope, ...association })
        .execute()
      await store.instanceProfiles.remove(scope, 'p')
      await makeProfile('p')
      const left = await store.db
        .selectFrom('profileAssociations')
        .selectAll()
        .where('accountId', '=', scope.accountId)
        .execute()
      expect(left).toEqual([])
    })
  })
}
