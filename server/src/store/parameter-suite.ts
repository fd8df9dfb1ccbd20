import { describe, expect, test } from 'vitest'
import type { ParameterFilters } from './parameter-filters.ts'
import type { NewParameterVersion } from './parameters.ts'
import type { Scope } from './schema.ts'
import type { Store } from './store.ts'
import { elsewhere, inFreshScopes } from './suite-scopes.ts'

const limits = { versions: 3, parameters: { Standard: 20, Advanced: 1 } }

const version = (more: Partial<NewParameterVersion> = {}): NewParameterVersion => ({
  type: 'String',
  value: 'v',
  tier: 'Standard',
  dataType: 'text',
  description: null,
  allowedPattern: null,
  keyId: null,
  modifiedAt: 1_000,
  modifiedBy: 'arn:aws:iam::123456789012:user/ada',
  ...more,
})

/** What every store does with parameters. `open` gives an empty or a used store; scopes are fresh. */
export function parameterSuite(name: string, open: () => Promise<Store>): void {
  describe(name, () => {
    let store: Store
    let scope: Scope
    inFreshScopes(open, given => {
      store = given.store
      scope = given.scope
    })

    const put = (parameter: string, more: Partial<NewParameterVersion> = {}) =>
      store.parameters.put(scope, parameter, () => version(more), { limits })
    const names = async (filters: ParameterFilters) =>
      (await store.parameters.list(scope, filters, { limit: 100 })).items.map(found => found.name)

    test('a version is found by nothing, by its number, by its label, in its own scope only', async () => {
      await put('/a/b', { value: 'one' })
      await put('/a/b', { value: 'two' })
      await store.parameters.label(scope, '/a/b', 1, ['prod'], 10)
      const value = async (selector?: number | string) =>
        (await store.parameters.get(scope, '/a/b', selector))?.value
      expect(await value()).toBe('two')
      expect(await value(1)).toBe('one')
      expect(await value(2)).toBe('two')
      expect(await value('prod')).toBe('one')
      for (const selector of [3, 'Prod', '1']) expect(await value(selector)).toBeUndefined()
      for (const other of elsewhere(scope)) {
        expect(await store.parameters.get(other, '/a/b')).toBeUndefined()
        expect(await store.parameters.remove(other, '/a/b')).toBe(false)
        expect(await store.parameters.label(other, '/a/b', 1, ['x'], 10)).toBe('absent')
      }
    })

    test('versions that come at once have different numbers, and one is the latest', async () => {
      const rows = await Promise.all(Array.from({ length: 3 }, () => put('/a')))
      const numbers = rows.map(row => (typeof row === 'string' ? row : row.version))
      expect(numbers.sort()).toEqual([1, 2, 3])
      expect(await names({})).toEqual(['/a'])
    })

    test('a plan sees the latest version, and what it throws changes nothing', async () => {
      await put('/a', { value: 'one' })
      const failing = store.parameters.put(
        scope,
        '/a',
        former => {
          throw new Error(`${former?.version} ${former?.value}`)
        },
        { limits },
      )
      await expect(failing).rejects.toThrow('1 one')
      expect(await store.parameters.get(scope, '/a')).toMatchObject({ version: 1 })
    })

    test('the oldest version goes, unless it has a label', async () => {
      for (const value of ['1', '2', '3']) await put('/a', { value })
      expect(await put('/a')).toMatchObject({ version: 4, isLatest: 1 })
      const history = async () =>
        (await store.parameters.history(scope, '/a', { limit: 9 })).items.map(row => row.version)
      expect(await history()).toEqual([2, 3, 4])
      await store.parameters.label(scope, '/a', 2, ['keep'], 10)
      expect(await put('/a')).toBe('oldest-has-label')
      expect(await history()).toEqual([2, 3, 4])
      expect(await store.parameters.get(scope, '/a')).toMatchObject({ version: 4 })
      await store.parameters.label(scope, '/a', 4, ['keep'], 10)
      expect(await put('/a')).toMatchObject({ version: 5 })
      expect(await history()).toEqual([3, 4, 5])
    })

    test('there are so many parameters of a tier, and as many versions of them as there may be', async () => {
      expect(await put('/a', { tier: 'Advanced' })).toMatchObject({ version: 1 })
      expect(await put('/b', { tier: 'Advanced' })).toBe('too-many')
      expect(await put('/b')).toMatchObject({ version: 1 })
      expect(await put('/b', { tier: 'Advanced' })).toBe('too-many')
      expect(await put('/a', { tier: 'Advanced' })).toMatchObject({ version: 2 })
      expect(await store.parameters.get(scope, '/b')).toMatchObject({ version: 1, tier: 'Standard' })
    })

    test('a deleted parameter leaves nothing to the next one of its name', async () => {
      const tags = [{ Key: 'k', Value: 'v' }]
      await store.parameters.put(scope, '/a', () => version(), { tags, limits })
      await put('/a')
      await store.parameters.label(scope, '/a', 1, ['l'], 10)
      expect(await store.tags.list(scope, 'Parameter', '/a')).toEqual(tags)
      expect(await store.parameters.remove(scope, '/a')).toBe(true)
      expect(await store.parameters.remove(scope, '/a')).toBe(false)
      expect(await put('/a')).toMatchObject({ version: 1 })
      expect(await store.parameters.labelsOf(scope, '/a')).toEqual(new Map())
      expect(await store.tags.list(scope, 'Parameter', '/a')).toEqual([])
      expect(await store.parameters.get(scope, '/a', 2)).toBeUndefined()
    })

    test('labels move, are taken off, and are so many', async () => {
      await put('/a')
      await put('/a')
      const { label, unlabel, labelsOf } = store.parameters
      expect(await label(scope, '/a', undefined, ['b', 'a', 'a'], 2)).toBe(2)
      expect(await label(scope, '/a', 2, ['c'], 2)).toBe('too-many')
      expect(await label(scope, '/a', 1, ['b'], 2)).toBe(1)
      expect(await labelsOf(scope, '/a')).toEqual(
        new Map([
          [1, ['b']],
          [2, ['a']],
        ]),
      )
      expect(await unlabel(scope, '/a', 2, ['a', 'b'])).toEqual(['a'])
      expect(await labelsOf(scope, '/a')).toEqual(new Map([[1, ['b']]]))
      expect(await label(scope, '/a', 3, ['x'], 2)).toBe('no-version')
      expect(await unlabel(scope, '/a', 3, ['x'])).toBe('no-version')
      expect(await unlabel(scope, '/b', 1, ['x'])).toBe('absent')
    })

    test('a path has children and grandchildren, and none of its neighbours', async () => {
      for (const each of ['top', '/top', '/a/b', '/a/b/c', '/a/b/c/d', '/a/bc', '/a/b_/x', '/A/b/c']) {
        await put(each)
      }
      const below = (path: string, recursive = false) => names({ path: { paths: [path], recursive } })
      expect(await below('/a/b')).toEqual(['/a/b/c'])
      expect(await below('/a/b', true)).toEqual(['/a/b/c', '/a/b/c/d'])
      expect(await below('/a')).toEqual(['/a/b', '/a/bc'])
      expect(await below('')).toEqual(['/top', 'top'])
      expect(await below('', true)).toHaveLength(8)
      expect(await below('/nope', true)).toEqual([])
      expect(await names({ path: { paths: ['/a/b_', '/A/b'], recursive: false } })).toEqual([
        '/A/b/c',
        '/a/b_/x',
      ])
    })

    test('filters compare letter by letter, with any of their values', async () => {
      await put('/a/One', { type: 'SecureString', keyId: 'alias/aws/ssm' })
      await put('/a/one', { tier: 'Advanced' })
      await put('/a/100%_', { dataType: 'aws:ssm:integration' })
      for (const each of ['/a/one', '/a/One']) {
        await store.tags.add(scope, 'Parameter', each, [{ Key: 'env', Value: each.slice(3) }])
      }
      await store.tags.add(scope, 'Document', '/a/100%_', [{ Key: 'env', Value: 'x' }])
      const found = (option: 'Equals' | 'BeginsWith' | 'Contains', ...values: string[]): Promise<string[]> =>
        names({ names: { option, values } })
      expect(await found('Contains', 'One')).toEqual(['/a/One'])
      expect(await found('BeginsWith', '/a/o')).toEqual(['/a/one'])
      expect(await found('Contains', '%_')).toEqual(['/a/100%_'])
      expect(await found('BeginsWith', '/a/_')).toEqual([])
      expect(await found('Equals', '/a/One', '/a/one', '/a/ONE')).toEqual(['/a/One', '/a/one'])
      const equals = (...values: string[]) => ({ option: 'Equals', values }) as const
      expect(await names({ types: equals('SecureString') })).toEqual(['/a/One'])
      expect(await names({ keyIds: { option: 'BeginsWith', values: ['alias/'] } })).toEqual(['/a/One'])
      expect(await names({ tiers: equals('Advanced') })).toEqual(['/a/one'])
      expect(await names({ dataTypes: equals('text') })).toEqual(['/a/One', '/a/one'])
      expect(await names({ tags: [{ key: 'env' }] })).toEqual(['/a/One', '/a/one'])
      const startsWith = { option: 'BeginsWith', values: ['o'] } as const
      expect(await names({ tags: [{ key: 'env', values: startsWith }] })).toEqual(['/a/one'])
      expect(await names({ tiers: equals('Advanced'), types: equals('SecureString') })).toEqual([])
    })

    test('with a filter for labels the versions come that have them', async () => {
      for (const each of ['/a', '/b']) for (const value of ['1', '2']) await put(each, { value })
      await store.parameters.label(scope, '/a', 1, ['prod', 'old'], 10)
      await store.parameters.label(scope, '/b', 2, ['prod'], 10)
      const { items } = await store.parameters.list(scope, { labels: ['prod', 'old'] }, { limit: 9 })
      expect(items.map(row => [row.name, row.value])).toEqual([
        ['/a', '1'],
        ['/b', '2'],
      ])
    })

    test('pages cover everything once', async () => {
      for (let at = 10; at < 17; at += 1) await put(`/p/${at}`)
      const seen: string[] = []
      let token: string | undefined
      do {
        const page = await store.parameters.list(scope, {}, { limit: 3, token })
        seen.push(...page.items.map(row => row.name))
        token = page.nextToken
      } while (token !== undefined)
      expect(seen).toEqual([10, 11, 12, 13, 14, 15, 16].map(at => `/p/${at}`))
      for (let at = 0; at < 2; at += 1) await put('/p/10')
      const first = await store.parameters.history(scope, '/p/10', { limit: 2 })
      const rest = await store.parameters.history(scope, '/p/10', { limit: 2, token: first.nextToken })
      expect([...first.items, ...rest.items].map(row => row.version)).toEqual([1, 2, 3])
      expect(rest.nextToken).toBeUndefined()
      const other = store.parameters.history(scope, '/p/11', { limit: 2, token: first.nextToken })
      await expect(other).rejects.toMatchObject({ code: 'bad-token' })
    })
  })
}
