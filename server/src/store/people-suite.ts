import { describe, expect, test } from 'vitest'
import { MAXIMUM_KEYS_PER_USER } from './access-keys.ts'
import { MAXIMUM_GROUPS_PER_USER } from './groups.ts'
import type { Scope } from './schema.ts'
import type { Store } from './store.ts'
import { elsewhere, inFreshScopes } from './suite-scopes.ts'
import { USER_TAGS } from './users.ts'

/** Users, keys, groups and passwords in every store, as storeSuite. */
export function peopleSuite(name: string, open: () => Promise<Store>): void {
  describe(name, () => {
    let store: Store
    let scope: Scope
    inFreshScopes(open, given => {
      store = given.store
      scope = given.scope
    })

    const user = (userName: string) => ({ userName, userId: `AIDA${userName}`, path: '/', createdAt: 1 })
    const key = (userName: string, suffix = userName) => ({
      accessKeyId: `AKIA${scope.accountId}${suffix}`,
      userName,
      sealedSecret: 'sealed',
      createdAt: 2,
    })
    const group = (groupName: string) => ({ groupName, groupId: `AGPA${groupName}`, path: '/', createdAt: 1 })
    const login = (userName: string) => ({
      userName,
      passwordHash: 'hash',
      passwordResetRequired: 0,
      createdAt: 3,
    })
    const attached = (ownerType: 'user' | 'group', ownerName: string) => ({
      ownerType,
      ownerName,
      policyArn: 'arn:aws:iam::aws:policy/ReadOnlyAccess',
      attachedAt: 1,
    })
    const own = (ownerType: 'user' | 'group', ownerName: string) => ({
      ownerType,
      ownerName,
      policyName: 'mine',
      document: '{}',
    })

    /** Ada with one of everything that a user can have. */
    async function ada(userName = 'ada'): Promise<void> {
      await store.users.create(scope, user(userName), [{ Key: 'team', Value: 'web' }])
      await store.groups.create(scope, group('devs'))
      await store.groups.addUser(scope, 'devs', userName)
      await store.accessKeys.create(scope, key(userName))
      await store.loginProfiles.create(scope, login(userName))
      await store.ownerPolicies.attach(scope, attached('user', userName))
      await store.ownerPolicies.putInline(scope, own('user', userName))
    }
    const possessions = async (userName: string) => {
      const { attached, inline } = await store.ownerPolicies.of(scope, 'user', [userName])
      return {
        tags: await store.tags.list(scope, USER_TAGS, userName),
        groups: await store.groups.ofUser(scope, userName),
        keys: (await store.accessKeys.listForUser(scope, userName)).length,
        password: (await store.loginProfiles.get(scope, userName))?.passwordHash,
        policies: [...attached.map(row => row.policyArn), ...inline.map(row => row.policyName)],
      }
    }
    const everything = {
      tags: [{ Key: 'team', Value: 'web' }],
      groups: ['devs'],
      keys: 1,
      password: 'hash',
      policies: ['arn:aws:iam::aws:policy/ReadOnlyAccess', 'mine'],
    }
    const nothing = { tags: [], groups: [], keys: 0, password: undefined, policies: [] }

    describe('users', () => {
      test('a name is taken in all its spellings, in its own account and region only', async () => {
        const { created } = await store.users.create(scope, user('Ada'))
        expect(created).toEqual({ ...scope, ...user('Ada'), permissionsBoundary: null })
        expect(await store.users.get(scope, 'Ada')).toEqual(created)
        expect(await store.users.get(scope, 'ada')).toBeUndefined()
        expect(await store.users.create(scope, user('aDA'))).toEqual({ reason: 'taken' })
        for (const other of elsewhere(scope)) {
          expect(await store.users.get(other, 'Ada')).toBeUndefined()
          expect(await store.users.count(other)).toBe(0)
        }
        expect(await store.users.count(scope)).toBe(1)
      })

      test('of many who make the same user at once, one does', async () => {
        const all = ['ada', 'ADA', 'Ada', 'adA'].map(spelled => store.users.create(scope, user(spelled)))
        expect((await Promise.all(all)).filter(({ created }) => created !== undefined)).toHaveLength(1)
        expect(await store.users.count(scope)).toBe(1)
      })

      test('another name and path take everything along', async () => {
        await ada()
        expect(await store.users.update(scope, 'ada', { newName: 'Ada', newPath: '/web/' })).toBe('updated')
        expect(await store.users.get(scope, 'Ada')).toMatchObject({ userId: 'AIDAada', path: '/web/' })
        expect(await store.users.get(scope, 'ada')).toBeUndefined()
        expect(await possessions('Ada')).toEqual(everything)
        expect(await possessions('ada')).toEqual(nothing)
        expect((await store.accessKeys.find(key('ada').accessKeyId))?.user.userName).toBe('Ada')
        expect(await store.users.update(scope, 'Ada', { newPath: '/' })).toBe('updated')
        expect(await possessions('Ada')).toEqual(everything)
      })

      test('a name that another user has stays with that one, and nothing moves', async () => {
        await ada()
        await store.users.create(scope, user('grace'))
        expect(await store.users.update(scope, 'ada', { newName: 'GRACE' })).toBe('taken')
        expect(await store.users.update(scope, 'nobody', { newName: 'x' })).toBe('missing')
        expect(await possessions('ada')).toEqual(everything)
      })

      test('a user goes last, after all that it has but its tags', async () => {
        await ada()
        const remove = () => store.users.remove(scope, 'ada')
        expect(await remove()).toBe('access-keys')
        await store.accessKeys.remove(scope, 'ada', key('ada').accessKeyId)
        expect(await remove()).toBe('groups')
        await store.groups.removeUser(scope, 'devs', 'ada')
        expect(await remove()).toBe('attached-policies')
        await store.ownerPolicies.detach(scope, attached('user', 'ada'), attached('user', 'ada').policyArn)
        expect(await remove()).toBe('inline-policies')
        await store.ownerPolicies.removeInline(scope, own('user', 'ada'), 'mine')
        expect(await remove()).toBe('login-profile')
        await store.loginProfiles.remove(scope, 'ada')
        expect(await remove()).toBe('removed')
        expect(await remove()).toBe('missing')
        expect(await possessions('ada')).toEqual(nothing)
      })

      test('a new user has no tags of a former one of that name', async () => {
        await store.tags.add(scope, USER_TAGS, 'ada', [{ Key: 'SSMSessionRunAs', Value: 'root' }])
        await store.users.create(scope, user('ada'))
        expect(await store.tags.list(scope, USER_TAGS, 'ada')).toEqual([])
        await store.tags.add(scope, USER_TAGS, 'grace', [{ Key: 'SSMSessionRunAs', Value: 'root' }])
        await store.users.update(scope, 'ada', { newName: 'grace' })
        expect(await store.tags.list(scope, USER_TAGS, 'grace')).toEqual([])
      })
    })

    describe('access keys', () => {
      test('a key leads to its user, and its use is remembered', async () => {
        await store.users.create(scope, user('ada'))
        const { accessKeyId } = key('ada')
        expect(await store.accessKeys.create(scope, key('ada'))).toBe('created')
        const touch = (now: number) =>
          store.accessKeys.touch(scope, accessKeyId, { now, service: 'ssm', region: 'us-east-1' })
        await touch(100_000)
        await touch(100_001)
        expect(await store.accessKeys.find(accessKeyId)).toEqual({
          ...scope,
          ...key('ada'),
          status: 'Active',
          lastUsedAt: 100_000,
          lastUsedService: 'ssm',
          lastUsedRegion: 'us-east-1',
          user: { userName: 'ada', userId: 'AIDAada', path: '/' },
        })
        await touch(160_000)
        expect((await store.accessKeys.find(accessKeyId))?.lastUsedAt).toBe(160_000)
        expect(await store.accessKeys.find('AKIANONE')).toBeUndefined()
      })

      test('a key needs a user, and its id is unique across accounts', async () => {
        expect(await store.accessKeys.create(scope, key('ada'))).toBe('no-user')
        for (const where of [scope, ...elsewhere(scope)]) await store.users.create(where, user('ada'))
        expect(await store.accessKeys.create(scope, key('ada'))).toBe('created')
        for (const other of elsewhere(scope)) {
          await expect(store.accessKeys.create(other, key('ada'))).rejects.toMatchObject({
            code: 'constraint',
          })
          expect(await store.accessKeys.remove(other, 'ada', key('ada').accessKeyId)).toBe(false)
        }
      })

      test('however many are asked for at once, a user has two', async () => {
        await store.users.create(scope, user('ada'))
        const answers = await Promise.all(
          Array.from({ length: 10 }, (_, i) => store.accessKeys.create(scope, key('ada', String(i)))),
        )
        expect(answers.filter(answer => answer === 'created')).toHaveLength(MAXIMUM_KEYS_PER_USER)
        expect(await store.accessKeys.listForUser(scope, 'ada')).toHaveLength(MAXIMUM_KEYS_PER_USER)
      })

      test("nobody changes a key under another user's name", async () => {
        for (const name of ['ada', 'grace']) await store.users.create(scope, user(name))
        await store.accessKeys.create(scope, key('ada'))
        const { accessKeyId } = key('ada')
        expect(await store.accessKeys.setStatus(scope, 'grace', accessKeyId, 'Inactive')).toBe(false)
        expect(await store.accessKeys.remove(scope, 'grace', accessKeyId)).toBe(false)
        expect((await store.accessKeys.find(accessKeyId))?.status).toBe('Active')
        expect(await store.accessKeys.setStatus(scope, 'ada', accessKeyId, 'Inactive')).toBe(true)
        expect((await store.accessKeys.find(accessKeyId))?.status).toBe('Inactive')
      })
    })

    describe('groups', () => {
      test('users are in groups, which both must be there', async () => {
        await store.users.create(scope, user('ada'))
        await store.groups.create(scope, group('devs'))
        expect(await store.groups.create(scope, group('DEVS'))).toEqual({ reason: 'taken' })
        expect(await store.groups.addUser(scope, 'devs', 'nobody')).toBe('no-user')
        expect(await store.groups.addUser(scope, 'none', 'ada')).toBe('no-group')
        expect(await store.groups.addUser(scope, 'devs', 'ada')).toBe('added')
        expect(await store.groups.addUser(scope, 'devs', 'ada')).toBe('added')
        expect((await store.groups.members(scope, 'devs')).map(({ userName }) => userName)).toEqual(['ada'])
        for (const other of elsewhere(scope)) expect(await store.groups.ofUser(other, 'ada')).toEqual([])
        expect(await store.groups.removeUser(scope, 'devs', 'ada')).toBe('removed')
        expect(await store.groups.ofUser(scope, 'ada')).toEqual([])
      })

      test('a user is in ten at most, also when added to all at once', async () => {
        await store.users.create(scope, user('ada'))
        const names = Array.from({ length: 12 }, (_, i) => `g${i}`)
        for (const name of names) await store.groups.create(scope, group(name))
        const answers = await Promise.all(names.map(name => store.groups.addUser(scope, name, 'ada')))
        expect(answers.filter(answer => answer === 'full')).toHaveLength(2)
        expect(await store.groups.ofUser(scope, 'ada')).toHaveLength(MAXIMUM_GROUPS_PER_USER)
      })

      test('another name takes members and policies along; nothing is left under the old one', async () => {
        await ada()
        await store.groups.create(scope, group('ops'))
        await store.ownerPolicies.attach(scope, attached('group', 'devs'))
        expect(await store.groups.update(scope, 'devs', { newName: 'Ops' })).toBe('taken')
        expect(await store.groups.update(scope, 'none', { newName: 'x' })).toBe('missing')
        expect(await store.groups.update(scope, 'devs', { newName: 'web', newPath: '/x/' })).toBe('updated')
        expect(await store.groups.get(scope, 'web')).toMatchObject({ groupId: 'AGPAdevs', path: '/x/' })
        expect(await store.groups.ofUser(scope, 'ada')).toEqual(['web'])
        expect((await store.ownerPolicies.of(scope, 'group', ['web'])).attached).toHaveLength(1)
        expect(await store.groups.get(scope, 'devs')).toBeUndefined()
        expect((await store.ownerPolicies.of(scope, 'group', ['devs'])).attached).toEqual([])
      })

      test('a group goes last, after its users and policies', async () => {
        await ada()
        await store.ownerPolicies.attach(scope, attached('group', 'devs'))
        await store.ownerPolicies.putInline(scope, own('group', 'devs'))
        const remove = () => store.groups.remove(scope, 'devs')
        expect(await remove()).toBe('users')
        await store.groups.removeUser(scope, 'devs', 'ada')
        expect(await remove()).toBe('attached-policies')
        await store.ownerPolicies.detach(scope, attached('group', 'devs'), attached('group', 'x').policyArn)
        expect(await remove()).toBe('inline-policies')
        await store.ownerPolicies.removeInline(scope, own('group', 'devs'), 'mine')
        expect(await remove()).toBe('removed')
        expect(await remove()).toBe('missing')
      })
    })

    test('a password is one per user, and changes only from what it was believed to be', async () => {
      expect(await store.loginProfiles.create(scope, login('ada'))).toBe('no-user')
      await store.users.create(scope, user('ada'))
      const both = [login('ada'), login('ada')].map(profile => store.loginProfiles.create(scope, profile))
      expect((await Promise.all(both)).sort()).toEqual(['created', 'taken'])
      const change = (passwordHash: string, expected?: string) =>
        store.loginProfiles.update(scope, 'ada', { passwordHash }, expected)
      expect(await change('new', 'other')).toBe(false)
      expect(await change('new', 'hash')).toBe(true)
      expect(await store.loginProfiles.get(scope, 'ada')).toMatchObject({ passwordHash: 'new' })
      expect(await store.loginProfiles.remove(scope, 'ada')).toBe(true)
      expect(await change('x')).toBe(false)
    })

    test('a milestone is reached once in each account and region', async () => {
      const reach = (where: Scope) => store.milestones.reach(where, 'there', 1)
      expect((await Promise.all([reach(scope), reach(scope), reach(scope)])).sort()).toEqual([
        false,
        false,
        true,
      ])
      for (const other of elsewhere(scope)) expect(await reach(other)).toBe(true)
    })
  })
}
