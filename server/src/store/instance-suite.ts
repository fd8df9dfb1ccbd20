import { beforeEach, describe, expect, test } from 'vitest'
import type { Scope } from './schema.ts'
import type { Store } from './store.ts'
import { node } from './suite-examples.ts'
import { inFreshScopes } from './suite-scopes.ts'

/** What every store does with instances and their profiles. `open` gives an empty or a used store; scopes are fresh. */
export function instanceSuite(name: string, open: () => Promise<Store>): void {
  describe(name, () => {
    let store: Store
    let scope: Scope
    inFreshScopes(open, given => {
      store = given.store
      scope = given.scope
    })
    beforeEach(async () => {
      for (const profileName of ['a', 'b']) {
        const profile = { profileName, profileId: `AIPA${profileName}`, path: '/', createdAt: 1 }
        await store.instanceProfiles.create(scope, profile, { limit: 10 })
      }
    })

    const association = (associationId: string, nodeId: string, profileName = 'a') => ({
      associationId,
      nodeId,
      profileName,
      createdAt: 1_000,
    })

    test('an instance has one profile, whoever gives it one at the same time', async () => {
      const outcomes = await Promise.all(
        ['1', '2', '3'].map(id => store.profileAssociations.create(scope, association(id, 'i-1'))),
      )
      const made = outcomes.filter(outcome => outcome.association !== undefined)
      expect(made).toHaveLength(1)
      const refused = outcomes.find(outcome => outcome.association === undefined)
      expect(refused).toMatchObject({ reason: 'taken', former: made[0]?.association })
      const elsewhere = { ...scope, region: 'eu-west-1' }
      expect(await store.profileAssociations.forNode(elsewhere, 'i-1')).toBeUndefined()
      expect(await store.profileAssociations.list(elsewhere)).toEqual([])
    })

    test('an association is replaced as a whole, or stays', async () => {
      await store.profileAssociations.create(scope, association('1', 'i-1'))
      const successor = { associationId: '2', profileName: 'b', createdAt: 2_000 }
      const { replace, get, forNode } = store.profileAssociations
      expect(await replace(scope, '1', { ...successor, profileName: 'none' })).toEqual({
        reason: 'no-profile',
      })
      expect(await get(scope, '1')).toBeDefined()
      expect(await replace(scope, '1', successor)).toEqual({
        association: { ...scope, ...successor, nodeId: 'i-1' },
      })
      expect(await get(scope, '1')).toBeUndefined()
      expect(await forNode(scope, 'i-1')).toMatchObject(successor)
      expect(await replace(scope, '1', successor)).toEqual({ reason: 'gone' })
      expect(await store.profileAssociations.create(scope, association('3', 'i-2', 'none'))).toEqual({
        reason: 'no-profile',
      })
    })

    test('associations are told page by page, and go with their instance', async () => {
      for (const id of ['3', '1', '2'])
        await store.profileAssociations.create(scope, association(id, `i-${id}`))
      const first = await store.profileAssociations.page(scope, { limit: 2 })
      expect(first.items.map(item => item.associationId)).toEqual(['1', '2'])
      const second = await store.profileAssociations.page(scope, { limit: 2, token: first.nextToken })
      expect(second).toMatchObject({ items: [{ associationId: '3' }], nextToken: undefined })
      const some = await store.profileAssociations.forNodes(scope, ['i-3', 'i-1', 'i-9'])
      expect(some.map(item => item.nodeId).sort()).toEqual(['i-1', 'i-3'])
      expect(await store.profileAssociations.forNodes(scope, [])).toEqual([])
      await store.profileAssociations.removeForNode(scope, 'i-1')
      expect(await store.profileAssociations.remove(scope, '2')).toMatchObject({ nodeId: 'i-2' })
      expect(await store.profileAssociations.remove(scope, '2')).toBeUndefined()
      expect((await store.profileAssociations.list(scope)).map(item => item.nodeId)).toEqual(['i-3'])
    })

    test('what decides the roles of many nodes is read at once, of registered ones', async () => {
      const ids = Array.from({ length: 1_200 }, (_, at) => `mi-${at}`)
      for (const id of ids.slice(0, 3)) await store.nodes.insert(scope, node(id, { iamRole: `R${id}` }))
      await store.nodes.insert(scope, node('i-1', { kind: 'instance' }))
      await store.nodes.deregister(scope, 'mi-1', 1_000)
      const holders = await store.nodes.roleHolders(scope, [...ids, 'i-1'])
      expect(holders.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))).toEqual([
        { nodeId: 'i-1', kind: 'instance', iamRole: null },
        { nodeId: 'mi-0', kind: 'managed-instance', iamRole: 'Rmi-0' },
        { nodeId: 'mi-2', kind: 'managed-instance', iamRole: 'Rmi-2' },
      ])
      expect(await store.nodes.roleHolders(scope, [])).toEqual([])
    })

    test('when a node was heard of is kept to the minute', async () => {
      const seen = async (now: number) => {
        const found = await store.nodes.get(scope, 'mi-1')
        if (found !== undefined) await store.nodes.seen(scope, found, now)
        return (await store.nodes.get(scope, 'mi-1'))?.lastSeenAt
      }
      await store.nodes.insert(scope, node('mi-1'))
      expect(await seen(100_000)).toBe(100_000)
      expect(await seen(159_999)).toBe(100_000)
      expect(await seen(160_000)).toBe(160_000)
      // The clock was set back.
      expect(await seen(1_000)).toBe(1_000)
    })

    test('the tags of all resources of a type come in pages', async () => {
      const tags = ['a', 'b'].map(Key => ({ Key, Value: 'v' }))
      for (const id of ['i-2', 'i-1']) await store.tags.add(scope, 'Instance', id, tags)
      await store.tags.add(scope, 'Document', 'd', tags)
      const first = await store.tags.ofType(scope, 'Instance', { limit: 3 })
      expect(first.items.map(tag => `${tag.resourceId} ${tag.Key}`)).toEqual(['i-1 a', 'i-1 b', 'i-2 a'])
      const second = await store.tags.ofType(scope, 'Instance', { limit: 3, token: first.nextToken })
      expect(second.items).toEqual([{ resourceId: 'i-2', Key: 'b', Value: 'v' }])
      expect(second.nextToken).toBeUndefined()
    })
  })
}
