import { describe, expect, test } from 'vitest'
import type { Scope } from './schema.ts'
import type { Store } from './store.ts'
import { document } from './suite-examples.ts'
import { elsewhere, inFreshScopes } from './suite-scopes.ts'

/** What every store does with the versions of documents and whom they are shared with. */
export function documentSuite(name: string, open: () => Promise<Store>): void {
  describe(name, () => {
    let store: Store
    let scope: Scope
    inFreshScopes(open, given => {
      store = given.store
      scope = given.scope
    })

    const put = async (text: string) => (await store.documents.put(scope, document('D', text))).version
    const share = (added: string[], removed: string[] = [], sharedVersion = '1', most = 3) =>
      store.documentShares.change(scope, 'D', { added, removed, sharedVersion }, most)
    const shared = async () => {
      const { items } = await store.documentShares.list(scope, 'D', { limit: 9 })
      return items.map(({ grantee, sharedVersion }) => `${grantee}:${sharedVersion}`)
    }

    test('numbers of versions are not given again while the document is there', async () => {
      expect([await put('one'), await put('two'), await put('three')]).toEqual([1, 2, 3])
      expect(await store.documents.delete(scope, 'D', 3)).toBe(1)
      expect(await store.documents.delete(scope, 'D', 2)).toBe(1)
      expect(await store.documents.delete(scope, 'D', 2)).toBe(0)
      expect(await put('four')).toBe(4)
      await store.documents.delete(scope, 'D')
      expect(await put('anew')).toBe(1)
    })

    test('whom a document is shared with changes as a whole, up to a bound', async () => {
      expect(await share(['a', 'b'])).toBe(true)
      expect(await share(['b', 'c'], ['a'], '$ALL')).toBe(true)
      expect(await shared()).toEqual(['b:$ALL', 'c:$ALL'])
      expect(await share(['d', 'e'])).toBe(false)
      expect(await shared()).toEqual(['b:$ALL', 'c:$ALL'])
      expect(await share(['d', 'e'], ['b'])).toBe(true)
      expect(await shared()).toEqual(['c:$ALL', 'd:1', 'e:1'])
      expect(await store.documentShares.sharedWith(scope, 'd')).toEqual(['D'])
      for (const other of elsewhere(scope)) {
        expect(await store.documentShares.sharedWith(other, 'd')).toEqual([])
      }
    })

    test('it is shared no more once it is gone', async () => {
      await put('one')
      await put('two')
      await share(['all'])
      await store.documents.delete(scope, 'D', 2)
      expect(await shared()).toEqual(['all:1'])
      await store.documents.delete(scope, 'D')
      expect(await shared()).toEqual([])
    })
  })
}
