import { describe, expect, test } from 'vitest'
import type { Scope } from './schema.ts'
import type { Store } from './store.ts'
import { activation, document, node, session } from './suite-examples.ts'
import { elsewhere, inFreshScopes } from './suite-scopes.ts'

/** What every store does, whatever database is under it, but for sessions (session-suite.ts) and people (people-suite.ts). `open` gives an empty or a used store; scopes are fresh. */
export function storeSuite(name: string, open: () => Promise<Store>): void {
  describe(name, () => {
    let store: Store
    let scope: Scope
    inFreshScopes(open, given => {
      store = given.store
      scope = given.scope
    })

    describe('activations', () => {
      test('a created activation is found again, in its own account and region only', async () => {
        const created = await store.activations.create(scope, activation('a-1'))
        expect(created).toEqual({ ...scope, ...activation('a-1'), registrationsCount: 0 })
        expect(await store.activations.get(scope, 'a-1')).toEqual(created)
        for (const other of elsewhere(scope)) {
          expect(await store.activations.get(other, 'a-1')).toBeUndefined()
          expect(await store.activations.claim(other, 'a-1', 1_500)).toMatchObject({ reason: 'unknown' })
          expect(await store.activations.delete(other, 'a-1')).toBe(false)
        }
      })

      test('claims stop at the limit, also when they come at once', async () => {
        await store.activations.create(scope, { ...activation('a-1'), registrationLimit: 5 })
        const claims = await Promise.all(
          Array.from({ length: 20 }, () => store.activations.claim(scope, 'a-1', 2_000)),
        )
        expect(claims.filter(claim => claim.claimed)).toHaveLength(5)
        expect(claims.at(-1)).toEqual({ claimed: false, reason: 'limit-reached' })
        expect((await store.activations.get(scope, 'a-1'))?.registrationsCount).toBe(5)
      })

      test('an expired or deleted activation cannot be claimed', async () => {
        await store.activations.create(scope, activation('a-1'))
        expect(await store.activations.claim(scope, 'a-1', 4_999)).toMatchObject({
          claimed: true,
          activation: { registrationsCount: 1, tags: [{ Key: 'env', Value: 'prod' }] },
        })
        expect(await store.activations.claim(scope, 'a-1', 5_000)).toEqual({
          claimed: false,
          reason: 'expired',
        })
        expect(await store.activations.delete(scope, 'a-1')).toBe(true)
        expect(await store.activations.claim(scope, 'a-1', 2_000)).toEqual({
          claimed: false,
          reason: 'unknown',
        })
      })

      test('lists are filtered, newest first', async () => {
        await store.activations.create(scope, activation('a-1', 1))
        await store.activations.create(scope, { ...activation('a-2', 2), iamRole: 'Other' })
        await store.activations.create(scope, { ...activation('a-3', 3), defaultInstanceName: null })
        const ids = async (filters: Parameters<typeof store.activations.list>[1]) =>
          (await store.activations.list(scope, filters, { limit: 10 })).items.map(found => found.activationId)
        expect(await ids({})).toEqual(['a-3', 'a-2', 'a-1'])
        expect(await ids({ iamRoles: ['Other'] })).toEqual(['a-2'])
        expect(await ids({ defaultInstanceNames: ['web', 'db'] })).toEqual(['a-2', 'a-1'])
        expect(await ids({ activationIds: ['a-1', 'a-3'], iamRoles: ['service-role/SSM'] })).toEqual([
          'a-3',
          'a-1',
        ])
        expect(await ids({ activationIds: [] })).toEqual([])
      })
    })

    describe('pages', () => {
      test('pages cover every row once, also where rows are of the same time', async () => {
        const ids = Array.from({ length: 25 }, (_, at) => `s-${String(at).padStart(2, '0')}`)
        await Promise.all(
          ids.map((id, at) => store.sessions.insert(scope, session(id, { startedAt: at >> 2 }))),
        )
        const seen: string[] = []
        let token: string | undefined
        do {
          const page = await store.sessions.list(scope, 'Active', {}, { limit: 7, token })
          expect(page.items.length).toBeLessThanOrEqual(7)
          seen.push(...page.items.map(item => item.sessionId))
          token = page.nextToken
        } while (token !== undefined)
        expect(seen).toEqual(ids.toReversed())
      })

      test('a last page that is exactly full has no next token', async () => {
        for (const id of ['mi-1', 'mi-2', 'mi-3']) await store.nodes.insert(scope, node(id))
        expect((await store.nodes.list(scope, { limit: 3 })).nextToken).toBeUndefined()
        expect((await store.nodes.list(scope, { limit: 2 })).nextToken).toEqual(
          expect.stringMatching(/^[\w-]+$/),
        )
      })

      test('a token that this list did not give is refused', async () => {
        const tokenOf = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
        const wrong = ['', 'x', '*', tokenOf({}), tokenOf(['sessions', 1]), tokenOf(['nodes', 'mi-1'])]
        wrong.push(
          tokenOf(['sessions', '1', 'a']),
          tokenOf(['sessions', 1.5, 'a']),
          tokenOf(['sessions', 1, 'a', 1]),
        )
        wrong.push(tokenOf(['sessions', 1, 'a'.repeat(4_000)]))
        for (const token of wrong) {
          await expect(store.sessions.list(scope, 'Active', {}, { limit: 5, token })).rejects.toMatchObject({
            name: 'StoreError',
            code: 'bad-token',
          })
        }
      })
    })

    describe('nodes', () => {
      test('a new node is offline and unknown but for its registration', async () => {
        const inserted = await store.nodes.insert(scope, node('mi-1', { name: 'web', iamRole: 'SSM' }))
        expect(inserted).toMatchObject({ nodeId: 'mi-1', name: 'web', connected: false, lastPingAt: null })
        expect(await store.nodes.get(scope, 'mi-1')).toEqual(inserted)
        for (const other of elsewhere(scope)) expect(await store.nodes.get(other, 'mi-1')).toBeUndefined()
        await expect(store.nodes.insert(scope, node('mi-1'))).rejects.toMatchObject({ code: 'constraint' })
      })

      test('a ping keeps what it does not mention', async () => {
        await store.nodes.insert(scope, node('mi-1'))
        const said = { agentName: 'amazon-ssm-agent', agentVersion: '3.3.0.0', platformType: 'Linux' }
        expect(await store.nodes.updateInformation(scope, 'mi-1', said, 2_000)).toBe(true)
        expect(await store.nodes.updateInformation(scope, 'mi-1', {}, 3_000)).toBe(true)
        expect(await store.nodes.get(scope, 'mi-1')).toMatchObject({ ...said, lastPingAt: 3_000 })
        expect(await store.nodes.updateInformation(scope, 'mi-2', said, 2_000)).toBe(false)
      })

      test('a stale report never changes what a newer connection wrote', async () => {
        await store.nodes.insert(scope, node('mi-1'))
        const connect = (epoch: number, server = 's') =>
          store.nodes.setConnected(scope, 'mi-1', { epoch, server, now: epoch * 10 })
        const disconnect = (epoch: number) =>
          store.nodes.setDisconnected(scope, 'mi-1', { epoch, now: epoch * 10 + 1 })
        const connected = async () => (await store.nodes.get(scope, 'mi-1'))?.connected

        expect(await connect(1)).toBe(true)
        expect(await connect(3, 'other')).toBe(true)
        expect(await disconnect(1)).toBe(false)
        expect(await connect(2)).toBe(false)
        expect(await connect(3)).toBe(false)
        expect(await store.nodes.get(scope, 'mi-1')).toMatchObject({
          connected: true,
          connectionEpoch: 3,
          connectionServer: 'other',
          connectedAt: 30,
        })
        expect(await disconnect(3)).toBe(true)
        expect(await disconnect(3)).toBe(false)
        expect(await disconnect(5)).toBe(true)
        expect(await connect(5)).toBe(false)
        expect(await connected()).toBe(false)
        expect(await connect(6)).toBe(true)
        expect(await connected()).toBe(true)
      })

      test('a server that starts takes down its own former connections only', async () => {
        for (const [id, server] of [
          ['mi-1', 'a'],
          ['mi-2', 'a'],
          ['mi-3', 'b'],
        ] as const) {
          await store.nodes.insert(scope, node(id))
          await store.nodes.setConnected(scope, id, { epoch: 1, server, now: 1 })
        }
        expect(await store.nodes.markAllDisconnected(scope, 'a', 9)).toBe(2)
        expect(await store.nodes.markAllDisconnected(scope, 'a', 9)).toBe(0)
        const online = await store.nodes.list(scope, { limit: 9 }, { connected: true })
        expect(online.items.map(found => found.nodeId)).toEqual(['mi-3'])
        expect(await store.nodes.get(scope, 'mi-1')).toMatchObject({ connected: false, disconnectedAt: 9 })
      })

      test('a deregistered node stays readable, is not listed and takes no further change', async () => {
        await store.nodes.insert(scope, node('mi-1'))
        await store.nodes.setConnected(scope, 'mi-1', { epoch: 1, server: 's', now: 1 })
        expect(await store.nodes.deregister(scope, 'mi-1', 50)).toBe(true)
        expect(await store.nodes.deregister(scope, 'mi-1', 51)).toBe(false)
        expect(await store.nodes.get(scope, 'mi-1')).toMatchObject({ deregisteredAt: 50, connected: false })
        expect(await store.nodes.setConnected(scope, 'mi-1', { epoch: 2, server: 's', now: 2 })).toBe(false)
        expect(await store.nodes.updateInformation(scope, 'mi-1', {}, 60)).toBe(false)
        expect(await store.nodes.updatePublicKey(scope, 'mi-1', 'new')).toBe(false)
        expect((await store.nodes.list(scope, { limit: 5 })).items).toEqual([])
        expect(
          (await store.nodes.list(scope, { limit: 5 }, { includeDeregistered: true })).items,
        ).toHaveLength(1)
      })

      test('filters of different kinds must all hold, tags included', async () => {
        await store.nodes.insert(scope, node('mi-1', { name: 'web', activationId: 'a-1', iamRole: 'R' }))
        await store.nodes.insert(scope, node('mi-2', { name: 'db', activationId: 'a-1' }))
        await store.nodes.insert(scope, node('i-3', { kind: 'instance', name: 'web' }))
        await store.nodes.updateInformation(
          scope,
          'mi-2',
          { platformType: 'Linux', computerName: 'db.local' },
          1,
        )
        await store.tags.add(scope, 'ManagedInstance', 'mi-1', [{ Key: 'env', Value: 'prod' }])
        await store.tags.add(scope, 'ManagedInstance', 'mi-2', [{ Key: 'env', Value: 'test' }])
        await store.tags.add(scope, 'Instance', 'i-3', [{ Key: 'env', Value: 'prod' }])
        await store.tags.add(scope, 'Document', 'mi-2', [{ Key: 'doc', Value: 'x' }])
        const ids = async (filters: Parameters<typeof store.nodes.list>[2]) =>
          (await store.nodes.list(scope, { limit: 9 }, filters)).items.map(found => found.nodeId)
        expect(await ids({})).toEqual(['i-3', 'mi-1', 'mi-2'])
        expect(await ids({ names: ['web'], kinds: ['managed-instance'] })).toEqual(['mi-1'])
        expect(await ids({ activationIds: ['a-1'], platformTypes: ['Linux'] })).toEqual(['mi-2'])
        expect(await ids({ computerNames: ['db.local'] })).toEqual(['mi-2'])
        expect(await ids({ iamRoles: ['R'] })).toEqual(['mi-1'])
        expect(await ids({ tags: [{ key: 'env', values: ['prod'] }] })).toEqual(['i-3', 'mi-1'])
        expect(await ids({ tags: [{ key: 'env' }], nodeIds: ['mi-2', 'mi-9'] })).toEqual(['mi-2'])
        expect(await ids({ tags: [{ key: 'doc' }] })).toEqual([])
      })
    })

    describe('tags', () => {
      test('tags are set, replaced, listed by key and removed', async () => {
        const add = (...tags: { Key: string; Value: string }[]) =>
          store.tags.add(scope, 'ManagedInstance', 'mi-1', tags)
        await add({ Key: 'b', Value: '1' }, { Key: 'a', Value: '' })
        await add({ Key: 'b', Value: '2' })
        await add()
        expect(await store.tags.list(scope, 'ManagedInstance', 'mi-1')).toEqual([
          { Key: 'a', Value: '' },
          { Key: 'b', Value: '2' },
        ])
        await store.tags.add(scope, 'ManagedInstance', 'mi-2', [{ Key: 'c', Value: '3' }])
        const found = await store.tags.forResources(scope, 'ManagedInstance', ['mi-1', 'mi-2', 'mi-3'])
        expect([...found.keys()]).toEqual(['mi-1', 'mi-2'])
        expect(found.get('mi-2')).toEqual([{ Key: 'c', Value: '3' }])
        await store.tags.remove(scope, 'ManagedInstance', 'mi-1', ['a', 'unknown'])
        expect(await store.tags.list(scope, 'ManagedInstance', 'mi-1')).toEqual([{ Key: 'b', Value: '2' }])
        await store.tags.clear(scope, 'ManagedInstance', 'mi-1')
        expect(await store.tags.list(scope, 'ManagedInstance', 'mi-1')).toEqual([])
        expect(await store.tags.list(scope, 'ManagedInstance', 'mi-2')).toHaveLength(1)
      })
    })

    test('tags change together, or not at all', async () => {
      const change = (removed: string[], value: unknown) =>
        store.tags.change(scope, 'User', 'alice', { removed, added: [{ Key: 'b', Value: value as string }] })
      await store.tags.add(scope, 'User', 'alice', [{ Key: 'a', Value: '1' }])
      await expect(change(['a'], null)).rejects.toThrow()
      expect(await store.tags.list(scope, 'User', 'alice')).toEqual([{ Key: 'a', Value: '1' }])
      await change(['a'], '2')
      expect(await store.tags.list(scope, 'User', 'alice')).toEqual([{ Key: 'b', Value: '2' }])
    })

    describe('documents', () => {
      test('versions count up and the default changes only on request', async () => {
        await store.documents.create(scope, document('Doc', 'one'))
        await expect(store.documents.create(scope, document('Doc'))).rejects.toMatchObject({
          code: 'constraint',
        })
        expect(await store.documents.put(scope, document('Doc', 'two'))).toMatchObject({
          version: 2,
          isDefault: false,
        })
        expect(await store.documents.get(scope, 'Doc')).toMatchObject({ content: 'one', isDefault: true })
        expect(await store.documents.get(scope, 'Doc', '$LATEST')).toMatchObject({
          content: 'two',
          version: 2,
        })
        expect(await store.documents.put(scope, document('Doc', 'three'), true)).toMatchObject({ version: 3 })
        expect(await store.documents.get(scope, 'Doc')).toMatchObject({ content: 'three' })
        expect(await store.documents.setDefault(scope, 'Doc', 2)).toBe(true)
        expect(await store.documents.setDefault(scope, 'Doc', 9)).toBe(false)
        expect(await store.documents.get(scope, 'Doc')).toMatchObject({ content: 'two' })
        expect(await store.documents.get(scope, 'Doc', 9)).toBeUndefined()
        const versions = await store.documents.listVersions(scope, 'Doc', { limit: 2 })
        expect(versions.items.map(found => [found.version, found.isDefault])).toEqual([
          [3, false],
          [2, true],
        ])
        const rest = await store.documents.listVersions(scope, 'Doc', { limit: 2, token: versions.nextToken })
        expect(rest.items.map(found => found.version)).toEqual([1])
        expect(await store.documents.delete(scope, 'Doc', 1)).toBe(1)
        expect(await store.documents.delete(scope, 'Doc')).toBe(2)
      })

      test('puts at once give each its own version', async () => {
        const puts = await Promise.all(
          ['a', 'b', 'c', 'd'].map(text => store.documents.put(scope, document('D', text))),
        )
        expect(puts.map(found => found.version).sort()).toEqual([1, 2, 3, 4])
        expect(puts.filter(found => found.isDefault)).toHaveLength(1)
      })

      test('documents are listed by name, type and prefix, minding case', async () => {
        for (const name of ['AWS-One', 'aws-two', 'Own_1', 'OwnX1'])
          await store.documents.put(scope, document(name))
        await store.documents.put(scope, { ...document('Run'), documentType: 'Command' })
        const names = async (filters: Parameters<typeof store.documents.list>[1]) =>
          (await store.documents.list(scope, filters, { limit: 9 })).items.map(found => found.name).sort()
        expect(await names({ namePrefix: 'AWS-' })).toEqual(['AWS-One'])
        expect(await names({ namePrefix: 'Own_' })).toEqual(['Own_1'])
        expect(await names({ documentTypes: ['Command'] })).toEqual(['Run'])
        expect(await names({ names: ['Run', 'OwnX1'], documentTypes: ['Session'] })).toEqual(['OwnX1'])
      })
    })

    test('a secret is made once and is the same for everybody in its scope', async () => {
      const secrets = await Promise.all([1, 2, 3].map(() => store.secrets.getOrCreate(scope, 'tokens', 32)))
      expect(secrets[0]).toHaveLength(32)
      expect(secrets[1]).toEqual(secrets[0])
      expect(secrets[2]).toEqual(secrets[0])
      expect(await store.secrets.getOrCreate(scope, 'other', 32)).not.toEqual(secrets[0])
      for (const other of elsewhere(scope)) {
        expect(await store.secrets.getOrCreate(other, 'tokens', 32)).not.toEqual(secrets[0])
      }
    })
  })
}
